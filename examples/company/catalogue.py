"""What the company sells: brands, products and their SKUs, and how customers choose among them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from examples.company import names, places, season
from examples.company.chance import weighted
from examples.company.columns import ids, money, picked, timestamps
from examples.company.records import Floats, Ints, positions

BRANDS = 150
PRODUCTS = 1_200
TIERS = 8  # price bands within a category
PAIRS_PER_CATEGORY = 2
NEW_SHARE = 0.1  # of products, launched within the simulated span
ON_SALE_SHARE = 0.35
PARETO = 0.9  # popularity of the k-th product of a price band ~ k ** -PARETO
PRICE_SPREAD = 0.7  # standard deviation of the logarithm of prices within a category

_SLOTS = 1_024


class Category(NamedTuple):
    """One product category: typical price in USD, share of purchases, what each subcategory sells."""

    name: str
    price: float
    weight: float
    nouns: dict[str, str]
    sizes: tuple[str, ...]
    materials: tuple[str, ...]
    returned: float  # share of its orders sent back


_LETTERS, _ONE_SIZE = ("S", "M", "L", "XL"), ("One Size",)
_CLOTHES = {"Shirts": "Shirt", "Dresses": "Dress", "Trousers": "Chinos", "Knitwear": "Pullover"}
_SHOES = {"Sneakers": "Sneaker", "Boots": "Boot", "Sandals": "Sandal"}
_EXTRAS = {"Bags": "Bag", "Belts": "Belt", "Gloves": "Pair of Gloves", "Wallets": "Wallet"}
_COATS = {"Jackets": "Jacket", "Coats": "Coat", "Raincoats": "Raincoat"}
_HOME = {"Bedding": "Duvet Cover", "Kitchen": "Kitchen Set", "Lighting": "Lamp", "Storage": "Basket"}
_DEVICES = {"Audio": "Headphones", "Wearables": "Tracker", "Chargers": "Charger"}
_CARE = {"Skincare": "Face Cream", "Fragrance": "Perfume", "Haircare": "Shampoo"}
_BABY = {"Maternity": "Maternity Top", "Nursery": "Sleeping Bag", "Feeding": "Bib Set"}
_SPORTS = {"Fitness": "Yoga Mat", "Camping": "Tent", "Swimming": "Swimsuit"}
_TOYS = {"Games": "Board Game", "Puzzles": "Puzzle", "Figures": "Figure"}
CATEGORIES = (
    Category("Clothing", 38, 20, _CLOTHES, _LETTERS, ("cotton", "linen", "merino wool"), 0.11),
    Category("Footwear", 62, 11, _SHOES, ("7", "8", "9", "10", "11"), ("leather", "canvas"), 0.13),
    Category("Accessories", 28, 10, _EXTRAS, _ONE_SIZE, ("leather", "recycled fibres"), 0.05),
    Category("Outerwear", 85, 8, _COATS, _LETTERS, ("wool", "waxed cotton", "recycled fibres"), 0.10),
    Category("Home", 44, 14, _HOME, _ONE_SIZE, ("bamboo", "cotton", "natural fibres"), 0.04),
    Category("Electronics", 90, 10, _DEVICES, _ONE_SIZE, ("aluminium", "recycled plastic"), 0.07),
    Category("Beauty", 22, 10, _CARE, ("50 ml", "100 ml", "200 ml"), ("plant oils", "sea minerals"), 0.02),
    Category("Baby", 30, 6, _BABY, ("0-3 M", "3-6 M", "6-12 M"), ("organic cotton", "soft jersey"), 0.05),
    Category("Sports", 50, 6, _SPORTS, _ONE_SIZE, ("light nylon", "recycled fibres"), 0.06),
    Category("Toys", 25, 5, _TOYS, _ONE_SIZE, ("beech wood", "strong cardboard"), 0.03),
)
CATEGORY_WEIGHTS = tuple(float(category.weight) for category in CATEGORIES)
CATEGORY_NAMES = tuple(category.name for category in CATEGORIES)
RETURNED = np.array([category.returned for category in CATEGORIES])

_SUBCATEGORIES = tuple((code, name) for code, category in enumerate(CATEGORIES) for name in category.nouns)
_STYLES = (
    "Classic", "Modern", "Everyday", "Signature", "Essential", "Heritage", "Light", "Studio", "Urban",
    "Coastal",
)  # fmt: skip
_COLOURS = (
    "Black", "White", "Navy", "Grey", "Red", "Green", "Beige", "Blue", "Brown", "Pink", "Yellow", "Olive",
)  # fmt: skip
_USES = (
    "everyday use", "long weekends", "the whole family", "cold mornings", "small homes", "busy days",
    "a gift",
)  # fmt: skip
BRAND_NAMES = names.COMPANIES[: 7 * BRANDS : 7]
_PARENTS = names.COMPANIES[3::42]
BRAND_TYPES = ("private label", "national", "luxury", "designer", "value")


@dataclass(frozen=True)
class Catalogue:
    """Arrays per SKU, then the tables by which customers choose."""

    product: Ints  # 0-based product number
    category: Ints
    subcategory: Ints
    brand: Ints
    variant: Ints
    style: Ints
    price: Ints  # cents
    sale_price: Ints  # cents, 0 where the product is never on sale
    launched_at: Ints
    quality: Floats  # standard normal over products
    bounds: Floats  # categories x (TIERS - 1): price in cents that separates the bands
    slots: Ints  # categories x TIERS x _SLOTS: SKUs, each as often as it is popular
    best: Ints  # categories x TIERS: the most popular SKU that was there from the start
    pair_a: Ints
    pair_b: Ints
    pair_probability: Floats

    def choose(self, rng: np.random.Generator, category: Ints, cents: Floats, at: Ints) -> Ints:
        """A SKU per row: of this category, near this price, popular ones first, launched before `at`."""
        tier = np.zeros(len(category), dtype=np.int8)
        for bound in self.bounds.T:
            tier += cents > bound[category]
        sku = self.slots[category, tier, rng.integers(0, _SLOTS, len(category), dtype=np.int16)]
        return np.where(self.launched_at[sku] > at, self.best[category, tier], sku)

    def unit_price(self, sku: Ints, at: Ints) -> Ints:
        """Cents asked for the SKU at that time: the sale price during sales, else the list price."""
        reduced = season.on_sale(at) & (self.sale_price[sku] > 0)
        return np.where(reduced, self.sale_price[sku], self.price[sku])


def draw(rng: np.random.Generator) -> Catalogue:
    """Draw products, their SKUs, their popularity and the pairs that are bought together."""
    product = _products(rng)
    per_product = rng.integers(2, 5, PRODUCTS)
    sku_product = np.repeat(np.arange(PRODUCTS), per_product)
    columns = {name: values[sku_product] for name, values in product.items()}
    popularity = columns.pop("popularity") * rng.uniform(0.4, 1.0, len(sku_product))
    tier = columns.pop("tier")
    slots, best = _slots(
        columns["category"], tier, np.where(columns["launched_at"] < season.START, popularity, 0), popularity
    )
    pair_a, pair_b = _pairs(best)
    return Catalogue(
        product=sku_product,
        variant=positions(per_product),
        **columns,
        bounds=_bounds(product),
        slots=slots,
        best=best,
        pair_a=pair_a,
        pair_b=pair_b,
        pair_probability=rng.integers(20, 46, len(pair_a)) / 100,
    )


def _products(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Columns per product; price bands hold equally many products of each category."""
    category = np.arange(PRODUCTS) % len(CATEGORIES)
    typical = np.array([found.price for found in CATEGORIES])[category]
    price = np.maximum(typical * np.exp(rng.normal(0, PRICE_SPREAD, PRODUCTS)), 3).astype(np.int64) * 100 + 99
    reduced = price * rng.integers(70, 91, PRODUCTS) // 10_000 * 100 + 49
    tier, rank = _tiers(rng, category, price)
    return {
        "category": category,
        "subcategory": _subcategory(rng, category),
        "brand": rng.integers(0, BRANDS, PRODUCTS),
        "style": rng.integers(0, len(_STYLES), PRODUCTS),
        "price": price,
        "sale_price": np.where(rng.random(PRODUCTS) < ON_SALE_SHARE, reduced, 0),
        "launched_at": _launches(rng, rank),
        "quality": rng.standard_normal(PRODUCTS),
        "popularity": (1.0 + rank) ** -PARETO,
        "tier": tier,
    }


def _tiers(rng: np.random.Generator, category: Ints, price: Ints) -> tuple[Ints, Ints]:
    """The price band of each product within its category, and its popularity rank within the band."""
    each = PRODUCTS // len(CATEGORIES)
    tier, rank = np.empty(PRODUCTS, dtype=np.int64), np.empty(PRODUCTS, dtype=np.int64)
    tier[np.lexsort((price, category))] = np.arange(PRODUCTS) % each * TIERS // each
    shuffled = np.lexsort((rng.random(PRODUCTS), tier, category))
    rank[shuffled] = positions(np.bincount(category * TIERS + tier))
    return tier, rank


def _launches(rng: np.random.Generator, rank: Ints) -> Ints:
    """Before the span, or for a few within it; the leader of each band was always there to be bought."""
    new = (rng.random(PRODUCTS) < NEW_SHARE) & (rank > 0)
    days = np.where(new, rng.integers(30, 640, PRODUCTS), -rng.integers(30, 1_800, PRODUCTS))
    return season.START + days * season.DAY


def _subcategory(rng: np.random.Generator, category: Ints) -> Ints:
    """A subcategory code of the right category for each product."""
    counts = np.array([len(found.nouns) for found in CATEGORIES])
    within = (rng.random(len(category)) * counts[category]).astype(np.int64)
    code: Ints = (np.cumsum(counts) - counts)[category] + within
    return code


def _bounds(product: dict[str, np.ndarray]) -> Floats:
    """Half way, on the logarithmic scale, between the dearest of a band and the cheapest of the next."""
    bounds = np.empty((len(CATEGORIES), TIERS - 1), dtype=np.float32)
    for category in range(len(CATEGORIES)):
        for tier in range(TIERS - 1):
            within = product["category"] == category
            below = product["price"][within & (product["tier"] == tier)].max()
            above = product["price"][within & (product["tier"] == tier + 1)].min()
            bounds[category, tier] = np.sqrt(float(below) * float(above))
    return bounds


def _slots(category: Ints, tier: Ints, established: Floats, popularity: Floats) -> tuple[Ints, Ints]:
    """Lookup tables instead of a search: a uniform slot number finds a SKU as often as it is popular."""
    slots = np.empty((len(CATEGORIES), TIERS, _SLOTS), dtype=np.int16)
    best = np.empty((len(CATEGORIES), TIERS), dtype=np.int16)
    for cell in np.ndindex(best.shape):
        skus = np.flatnonzero((category == cell[0]) & (tier == cell[1]))
        edges = np.cumsum(popularity[skus]) / popularity[skus].sum()
        slots[cell] = skus[np.searchsorted(edges[:-1], (np.arange(_SLOTS) + 0.5) / _SLOTS, side="right")]
        best[cell] = skus[established[skus].argmax()]
    return slots, best


def _pairs(best: Ints) -> tuple[Ints, Ints]:
    """A: leaders of the middle price bands. B: a leader of a cheaper band in the next category."""
    middle = TIERS // 2 - PAIRS_PER_CATEGORY // 2
    tiers = range(middle, middle + PAIRS_PER_CATEGORY)
    cells = [(category, tier) for category in range(len(CATEGORIES)) for tier in tiers]
    pair_a = np.array([best[category, tier] for category, tier in cells], dtype=np.int64)
    pair_b = [best[(category + 1) % len(CATEGORIES), tier - PAIRS_PER_CATEGORY] for category, tier in cells]
    return pair_a, np.array(pair_b, dtype=np.int64)


def sku_ids(sku: Ints) -> pa.StringArray:
    """SKU000001 for SKU number 0."""
    return ids("SKU", sku + 1, 6)


def product_ids(product: Ints) -> pa.StringArray:
    """P00001 for product number 0."""
    return ids("P", product + 1, 5)


def brand_table(rng: np.random.Generator) -> pa.Table:
    """One row per brand."""
    kinds = weighted(rng, (0.15, 0.45, 0.08, 0.12, 0.20), BRANDS)
    parents = [f"{name} Group" for name in _PARENTS]
    headquarters = weighted(rng, places.CITY_WEIGHTS, BRANDS)
    homes = [places.CITIES[city] for city in headquarters]
    founded = rng.integers(1890, 2021, BRANDS)
    described = [
        f"{name} is a {BRAND_TYPES[kind]} brand from {home.name}, known for "
        f"{_STYLES[i % len(_STYLES)].lower()} goods for {_USES[i % len(_USES)]} since {year}."
        for i, (name, kind, home, year) in enumerate(zip(BRAND_NAMES, kinds, homes, founded, strict=True))
    ]
    return pa.table(
        {
            "brand_id": ids("B", np.arange(1, BRANDS + 1), 4),
            "brand_name": pa.array(BRAND_NAMES),
            "parent_company": picked(tuple(parents), rng.integers(0, len(parents), BRANDS)),
            "description": pa.array(described),
            "brand_type": picked(BRAND_TYPES, kinds),
            "website": pa.array([f"https://{name.lower()}.example.com" for name in BRAND_NAMES]),
            "founded_year": ids("", founded, 4),
            "headquarters": pa.array([f"{home.name}, {home.state}, {home.country}" for home in homes]),
        }
    )


def product_table(catalogue: Catalogue) -> pa.Table:
    """One row per SKU: the `product` dataset."""
    skus = len(catalogue.product)
    texts = [_texts(catalogue, sku) for sku in range(skus)]
    never = catalogue.sale_price == 0
    return pa.table(
        {
            "sku_id": sku_ids(np.arange(skus)),
            "product_id": product_ids(catalogue.product),
            "product_name": pa.array([text[0] for text in texts]),
            "product_description": pa.array([text[1] for text in texts]),
            "product_category": picked(CATEGORY_NAMES, catalogue.category),
            "product_subcategory": picked(tuple(name for _, name in _SUBCATEGORIES), catalogue.subcategory),
            "brand_id": ids("B", catalogue.brand + 1, 4),
            "product_colour": pa.array([text[2] for text in texts]),
            "product_size": pa.array([text[3] for text in texts]),
            "list_price": money(catalogue.price),
            "sale_price": money(catalogue.sale_price, never),
            "launched_ts": timestamps(catalogue.launched_at),
        }
    )


def _texts(catalogue: Catalogue, sku: int) -> tuple[str, str, str, str]:
    """Name, description, colour and size of one SKU."""
    code, subcategory = _SUBCATEGORIES[catalogue.subcategory[sku]]
    product, variant = int(catalogue.product[sku]), int(catalogue.variant[sku])
    category = CATEGORIES[code]
    noun = category.nouns[subcategory]
    brand, style = BRAND_NAMES[catalogue.brand[sku]], _STYLES[catalogue.style[sku]]
    colour = _COLOURS[(product + variant) % len(_COLOURS)]
    material, use = category.materials[product // 10 % len(category.materials)], _USES[product % len(_USES)]
    description = f"{style} {noun.lower()} by {brand}, made of {material}, for {use}."
    return f"{brand} {style} {noun}", description, colour, category.sizes[variant % len(category.sizes)]


def pair_table(catalogue: Catalogue) -> pa.Table:
    """One row per planted pair: SKU B joins the basket with this probability when SKU A is bought."""
    return pa.table(
        {
            "sku_a": sku_ids(catalogue.pair_a),
            "sku_b": sku_ids(catalogue.pair_b),
            "probability": pa.array(catalogue.pair_probability),
        }
    )
