"""95 % intervals: how far a mean or a share of a sample may lie from the truth by chance alone."""

import ibis
import ibis.expr.types as ir

WIDE = "decimal(38, 4)"  # of amounts whose squares are summed
# Constants have few digits because DuckDB reads them as decimals: longer ones would not become the nearest double.
Z, Z_SQUARED = 1.95996398454, 3.84145882069  # the normal quantile that leaves 2.5 % above
# The same quantile of Student's t for 1 to 10 degrees of freedom.
T_OF_FEW = (12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139)
# For more: Z, and over powers of the degrees of freedom (Abramowitz and Stegun, 26.7.5) (Z^3 + Z) / 4,
# (5 Z^5 + 16 Z^3 + 3 Z) / 96 and (3 Z^7 + 19 Z^5 + 17 Z^3 - 15 Z) / 384.
T_TERMS = (2.372271, 2.822499, 2.55585)


def half_of_mean(count: ir.NumericValue, total: ir.NumericValue, squares: ir.NumericValue) -> ir.FloatingValue:
    """Half the width of Student's interval for the mean of `count` values, null for fewer than two.

    `total` of the values and of their `squares` are exact, so that the order of rows changes nothing.
    """
    n, summed = count.cast("float64"), total.cast("float64")
    variance = ibis.greatest(squares.cast("float64") - summed * summed / n, 0.0) / (n - 1)
    return (n > 1).ifelse(t_quantile(n - 1) * (variance / n).sqrt(), None)


def half_of_grouped_mean(
    group_count: ir.NumericValue,
    count: ir.NumericValue,
    total: ir.NumericValue,
    squares: ir.NumericValue,
    products: ir.NumericValue,
    square_counts: ir.NumericValue,
) -> ir.FloatingValue:
    """Half the width of Student's interval for a mean of values that come in groups, null for fewer than two groups.

    Values of one group may depend on each other (Liang and Zeger, "Longitudinal data analysis using generalized linear
    models", 1986). With s and n for the sum and the count of each group: `squares` is the sum of s * s, `products`
    that of s * n, `square_counts` that of n * n.
    """
    groups, n = group_count.cast("float64"), count.cast("float64")
    mean = total.cast("float64") / n
    spread = squares.cast("float64") - 2 * mean * products.cast("float64") + mean * mean * square_counts.cast("float64")
    variance = groups * ibis.greatest(spread, 0.0) / ((groups - 1) * n * n)
    return (groups > 1).ifelse(t_quantile(groups - 1) * variance.sqrt(), None)


def half_of_net_share(count: ir.NumericValue, above: ir.NumericValue, below: ir.NumericValue) -> ir.FloatingValue:
    """Half the width of the normal interval for the share `above` less the share `below`.

    An answer is 1, 0 or -1, so its variance is p + d - (p - d)^2.
    """
    n = count.cast("float64")
    net = (above - below).cast("float64") / n
    return Z * (((above + below).cast("float64") / n - net * net) / n).sqrt()


def wilson(count: ir.NumericValue, hits: ir.NumericValue) -> tuple[ir.FloatingValue, ir.FloatingValue]:
    """Wilson's score interval for a share: within 0 to 1, and of some width even where all answers agree."""
    n, k = count.cast("float64"), hits.cast("float64")
    centre = (k + Z_SQUARED / 2) / (n + Z_SQUARED)
    half = Z * (k * (n - k) / n + Z_SQUARED / 4).sqrt() / (n + Z_SQUARED)
    return centre - half, centre + half


def t_quantile(degrees: ir.FloatingValue) -> ir.FloatingValue:
    """The 97.5 % quantile of Student's t, right to 0.0002."""
    first, second, third = T_TERMS
    large = Z + first / degrees + second / (degrees * degrees) + third / (degrees * degrees * degrees)
    return ibis.cases(*[(degrees == n, quantile) for n, quantile in enumerate(T_OF_FEW, start=1)], else_=large)
