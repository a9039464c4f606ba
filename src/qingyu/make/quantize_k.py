"""Super blocks of 256: 4 bits with minima (Q4_K), and 6 bits (Q6_K).

    q4_k(weights.reshape(-1, 256))       # uint8 [super blocks, 144]

A block's scale (and minimum) is searched: codes are made with several scales around the obvious
one, each time the scale that fits those codes best is solved for (weighted least squares), and
the best is kept. Scales are then rounded to the super block's own, that one is fitted once more,
and codes are made anew with what is really stored.

Large weights count for more in the fit, since what they are multiplied with decides the sum.

    Q4_K  d f16 | minimum's d f16 | 8 scales and 8 minima of 6 bits in 12 bytes | 128 bytes
          value = d * scale * code - dm * minimum, codes 0..15, blocks of 32; a byte of codes
          holds value i of an even block (low) and of the odd one after it (high)
    Q6_K  128 bytes of low 4 bits | 64 bytes of high 2 bits | 16 scales int8 | d f16
          value = d * scale * (code - 32), blocks of 16

Shapes: N super blocks, B blocks in each, V values of a block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

# How far the codes' range is stretched or cut in the search, in codes.
_AFFINE_SHIFTS = np.linspace(-1.5, 1.0, 16, dtype=np.float32)
_SCALE_SHIFTS = np.linspace(-0.9, 0.9, 13, dtype=np.float32)
_TINY = np.float32(1e-30)


def q4_k(x_n256: Floats) -> Bytes:
    """Super blocks uint8 [N, 144] of float32 [N, 256]."""
    count = len(x_n256)
    x = x_n256.reshape(count, 8, 32)
    weight = np.sqrt(np.mean(x * x, axis=2, keepdims=True)) + np.abs(x)
    scale_nb, minimum_nb = _affine_fit(x, weight, 15)
    d, scales = _to_codes(scale_nb, 63)
    dm, minima = _to_codes(minimum_nb, 63)

    codes = _affine_codes(x, d, scales, dm, minima)
    better_d, better_dm = _refit_affine(x, weight, codes, scales, minima, d, dm)
    better = _affine_codes(x, better_d, scales, better_dm, minima)
    use = _affine_error(x, weight, better, better_d, scales, better_dm, minima) < _affine_error(
        x, weight, codes, d, scales, dm, minima
    )
    d, dm = np.where(use, better_d, d), np.where(use, better_dm, dm)
    codes = np.where(use[:, None, None], better, codes)

    out = np.empty((count, 144), np.uint8)
    out[:, 0:2] = _half_bytes(d)
    out[:, 2:4] = _half_bytes(dm)
    out[:, 4:16] = _six_bits(scales, minima)
    pairs = codes.reshape(count, 4, 2, 32)
    out[:, 16:] = (pairs[:, :, 0] | pairs[:, :, 1] << 4).reshape(count, 128)
    return out


def q6_k(x_n256: Floats) -> Bytes:
    """Super blocks uint8 [N, 210] of float32 [N, 256]."""
    count = len(x_n256)
    x = x_n256.reshape(count, 16, 16)
    weight = x * x
    scale_nb = _scale_fit(x, weight, 32)
    # The scale of largest size gets the code -128, which is the finest there is.
    at = np.abs(scale_nb).argmax(axis=1)[:, None]
    d = _rounded_half(np.take_along_axis(scale_nb, at, axis=1)[:, 0] / np.float32(-128))
    scales = np.clip(np.rint(scale_nb * _inverse(d)[:, None]), -128, 127)

    codes = _signed_codes(x, d, scales)
    better_d = _refit_signed(x, weight, codes, scales, d)
    better = _signed_codes(x, better_d, scales)
    use = _signed_error(x, weight, better, better_d, scales) < _signed_error(
        x, weight, codes, d, scales
    )
    d = np.where(use, better_d, d)
    codes = np.where(use[:, None, None], better, codes)

    raw = (codes + 32).astype(np.uint8).reshape(count, 2, 4, 32)
    low, high = raw & 15, raw >> 4
    out = np.empty((count, 210), np.uint8)
    out[:, :128] = (low[:, :, :2] | low[:, :, 2:] << 4).reshape(count, 128)
    out[:, 128:192] = (
        high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6
    ).reshape(count, 64)
    out[:, 192:208] = scales.astype(np.int8).view(np.uint8)
    out[:, 208:] = _half_bytes(d)
    return out


def _affine_fit(x: Floats, weight: Floats, levels: int) -> tuple[Floats, Floats]:
    """Scale and minimum, both at least 0, [N, B]: x is about scale * code - minimum."""
    high = x.max(axis=2)
    best_shift = np.minimum(x.min(axis=2), np.float32(0))
    best_scale = (high - best_shift) / np.float32(levels)
    best_error: Floats = np.full(high.shape, np.inf, np.float32)
    weighted = weight * x
    sum_w, sum_x, sum_xx = _sum(weight, 2), _sum(weighted, 2), _dot(weighted, x)
    for step in _AFFINE_SHIFTS:
        # From the best shift so far, so that both are searched, not the scale alone.
        inverse = (levels + step) * _inverse(high - best_shift)
        code = np.rint((x - best_shift[:, :, None]) * inverse[:, :, None])
        np.clip(code, 0, levels, out=code)
        weighted_code = weight * code
        sum_q = _sum(weighted_code, 2)
        sum_qq = _dot(weighted_code, code)
        sum_xq = _dot(weighted_code, x)
        scale, shift = _solve(sum_w, sum_q, sum_qq, sum_x, sum_xq)
        error = (
            sum_xx - 2 * scale * sum_xq - 2 * shift * sum_x
            + scale * scale * sum_qq + 2 * scale * shift * sum_q + shift * shift * sum_w
        )  # fmt: skip
        better = error < best_error
        best_error = np.where(better, error, best_error)
        best_scale = np.where(better, scale, best_scale)
        best_shift = np.where(better, shift, best_shift)
    return best_scale, -best_shift


def _solve(
    sum_w: Floats, sum_q: Floats, sum_qq: Floats, sum_x: Floats, sum_xq: Floats
) -> tuple[Floats, Floats]:
    """Scale and shift (at most 0) that fit given codes best."""
    determinant = sum_w * sum_qq - sum_q * sum_q
    solvable = determinant > _TINY
    divisor = np.where(solvable, determinant, 1)
    scale = (sum_w * sum_xq - sum_q * sum_x) / divisor
    shift = (sum_qq * sum_x - sum_q * sum_xq) / divisor
    # Without a shift: where the best one would be positive, or all codes are the same. With
    # nothing but a shift: where all codes are 0.
    through_zero = sum_xq / np.where(sum_qq > 0, sum_qq, 1)
    mean = np.minimum(sum_x / np.where(sum_w > 0, sum_w, 1), np.float32(0))
    plain = ~solvable | (shift > 0)
    scale = np.where(plain, through_zero, scale)
    shift = np.where(plain, np.where(sum_qq > 0, np.float32(0), mean), shift)
    return np.maximum(scale, np.float32(0)), shift.astype(np.float32, copy=False)


def _affine_codes(x: Floats, d: Floats, scales: Floats, dm: Floats, minima: Floats) -> Bytes:
    scale = d[:, None] * scales
    shifted = x + (dm[:, None] * minima)[:, :, None]
    codes = np.rint(shifted * _inverse(scale)[:, :, None])
    return np.clip(codes, 0, 15).astype(np.uint8)


def _affine_error(
    x: Floats, weight: Floats, codes: Bytes, d: Floats, scales: Floats, dm: Floats, minima: Floats
) -> Floats:
    made = (d[:, None] * scales)[:, :, None] * codes - (dm[:, None] * minima)[:, :, None]
    made -= x
    return _sum(weight * made * made, (1, 2))


def _refit_affine(
    x: Floats, weight: Floats, codes: Bytes, scales: Floats, minima: Floats, d: Floats, dm: Floats
) -> tuple[Floats, Floats]:
    """The super block's two scales that fit its codes best, as float16 holds them."""
    a = scales[:, :, None] * codes
    b = minima[:, :, None]
    weighted = weight * a
    aa, ab = _sum(weighted * a, (1, 2)), _sum(weighted * b, (1, 2))
    ax = _sum(weighted * x, (1, 2))
    bb = _sum(weight * b * b, (1, 2))
    bx = _sum(weight * b * x, (1, 2))
    determinant = aa * bb - ab * ab
    solvable = determinant > 1e-6 * aa * bb
    divisor = np.where(solvable, determinant, 1)
    new_d = np.where(solvable, (ax * bb - ab * bx) / divisor, d)
    new_dm = np.where(solvable, (ab * ax - aa * bx) / divisor, dm)
    sound = (new_d >= 0) & (new_dm >= 0)
    return (
        _rounded_half(np.where(sound, new_d, d)),
        _rounded_half(np.where(sound, new_dm, dm)),
    )


def _refit_signed(x: Floats, weight: Floats, codes: Floats, scales: Floats, d: Floats) -> Floats:
    """The super block's scale that fits its codes best, as float16 holds it."""
    product = scales[:, :, None] * codes
    weighted = weight * product
    sum_pp = _sum(weighted * product, (1, 2))
    sum_px = _sum(weighted * x, (1, 2))
    found = sum_pp > 0
    return _rounded_half(np.where(found, sum_px / np.where(found, sum_pp, 1), d))


def _scale_fit(x: Floats, weight: Floats, half_range: int) -> Floats:
    """Scale [N, B] of either sign: x is about scale * code, codes -half_range..half_range - 1."""
    at = np.abs(x).argmax(axis=2)[:, :, None]
    largest = np.take_along_axis(x, at, axis=2)[:, :, 0]
    inverse = _inverse(largest)
    best_scale = np.zeros(largest.shape, np.float32)
    best_gain = np.zeros(largest.shape, np.float32)
    for step in _SCALE_SHIFTS:
        code = np.rint(x * (-(half_range + step) * inverse)[:, :, None])
        np.clip(code, -half_range, half_range - 1, out=code)
        weighted = weight * code
        sum_qq = _dot(weighted, code)
        sum_xq = _dot(weighted, x)
        scale = sum_xq / np.where(sum_qq > 0, sum_qq, 1)
        gain = scale * sum_xq
        better = gain > best_gain
        best_gain = np.where(better, gain, best_gain)
        best_scale = np.where(better, scale, best_scale)
    return best_scale


def _signed_codes(x: Floats, d: Floats, scales: Floats) -> Floats:
    codes: Floats = np.rint(x * _inverse(d[:, None] * scales)[:, :, None])
    np.clip(codes, -32, 31, out=codes)
    return codes


def _signed_error(x: Floats, weight: Floats, codes: Floats, d: Floats, scales: Floats) -> Floats:
    difference = (d[:, None] * scales)[:, :, None] * codes - x
    return _sum(weight * difference * difference, (1, 2))


def _to_codes(values_nb: Floats, most: int) -> tuple[Floats, Floats]:
    """The scale [N] (as float16 holds it) and codes 0..most, float32 [N, B], of values >= 0."""
    d = _rounded_half(values_nb.max(axis=1) / np.float32(most))
    codes = np.clip(np.rint(values_nb * _inverse(d)[:, None]), 0, most)
    return d, codes


def _six_bits(scales: Floats, minima: Floats) -> Bytes:
    """12 bytes of 8 scales and 8 minima: the first four of each whole, in the lower 6 bits of
    bytes 0..3 and 4..7; of the others the lower 4 bits in bytes 8..11, the upper 2 above those."""
    scale, minimum = scales.astype(np.uint8), minima.astype(np.uint8)
    first = scale[:, :4] | scale[:, 4:] >> 4 << 6
    second = minimum[:, :4] | minimum[:, 4:] >> 4 << 6
    third = scale[:, 4:] & 15 | (minimum[:, 4:] & 15) << 4
    return np.concatenate([first, second, third], axis=1)


def _sum(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    result: Floats = values.sum(axis=axis)
    return result


def _dot(left: Floats, right: Floats) -> Floats:
    """Over the values of each block."""
    result: Floats = np.einsum("nbv,nbv->nb", left, right)
    return result


def _inverse(values: Floats) -> Floats:
    """1 / value, and 0 for values too small to matter."""
    large = np.abs(values) > _TINY
    return np.where(large, np.float32(1) / np.where(large, values, 1), np.float32(0))


def _rounded_half(values: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


def _half_bytes(values: Floats) -> Bytes:
    with np.errstate(over="ignore"):
        return values.astype("<f2").view(np.uint8).reshape(-1, 2)
