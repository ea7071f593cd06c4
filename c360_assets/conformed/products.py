"""Products: the catalogue with the brand and company behind each SKU."""

import dagster as dg
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.inputs import SOURCE
from c360_assets.terms.texts import stripped
from c360_assets.terms.time import until


@dg.asset(ins={"product": SOURCE, "brand": SOURCE})
def products(product: ir.Table, brand: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per SKU launched by as_of."""
    launched = until(product, "launched_ts", as_of)
    joined = launched.left_join(brand, "brand_id")
    return joined.select(
        sku_id=joined.sku_id,
        product_id=joined.product_id.fill_null(joined.sku_id),
        product_name=stripped(joined.product_name).nullif(""),
        product_description=stripped(joined.product_description).nullif(""),
        product_category=stripped(joined.product_category).nullif(""),
        product_subcategory=stripped(joined.product_subcategory).nullif(""),
        brand_id=joined.brand_id,
        brand_name=joined.brand_name,
        parent_company=joined.parent_company,
        brand_type=joined.brand_type,
        product_colour=joined.product_colour,
        product_size=joined.product_size,
        list_price=joined.list_price.cast(MONEY),
        sale_price=joined.sale_price.cast(MONEY),
        launched_at=joined.launched_ts,
    )
