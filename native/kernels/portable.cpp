// Vector primitives in plain C++: any machine, and the yardstick for the others.
#include <bit>
#include <cmath>
#include <utility>

#include "../core/half.hpp"
#include "kernels.hpp"
#include "measure_kernels.hpp"

#define UNROLL
#define LANES for (int i = 0; i < 16; i++)

namespace qingyu {
namespace {

constexpr const char* kName = "portable";
constexpr int kTile = 4;
constexpr int kProjectTile = 1;
constexpr int kFloatPanels = 1;
constexpr bool kWideDiffers = false;

struct F { float v[16]; };
struct I { int32_t v[16]; };
struct C { uint8_t v[64]; };
struct P { int16_t v[2]; };

inline void prefetch(const void*) {}

inline F f_set(float x) { F r; LANES r.v[i] = x; return r; }
inline F f_zero() { return f_set(0.0f); }
inline F f_load(const float* p) { F r; __builtin_memcpy(r.v, p, 64); return r; }
inline void f_store(float* p, F x) { __builtin_memcpy(p, x.v, 64); }
inline uint16_t half_at(const void* p, int i) {
  uint16_t h;
  __builtin_memcpy(&h, static_cast<const uint8_t*>(p) + 2 * i, 2);
  return h;
}
inline F f_half(const void* p) { F r; LANES r.v[i] = f16_to_f32(half_at(p, i)); return r; }
inline F f_brain(const void* p) { F r; LANES r.v[i] = bf16_to_f32(half_at(p, i)); return r; }
template <int SHIFT, int MASK>
inline F f_bytes(const uint8_t* p) {
  F r;
  LANES r.v[i] = static_cast<float>(p[i] >> SHIFT & MASK);
  return r;
}
inline F f_signed_bytes(const uint8_t* p) {
  F r;
  LANES r.v[i] = static_cast<float>(static_cast<int8_t>(p[i]));
  return r;
}
inline F f_fma(F x, F y, F z) { LANES z.v[i] = std::fma(x.v[i], y.v[i], z.v[i]); return z; }
inline F f_mul(F x, F y) { LANES x.v[i] *= y.v[i]; return x; }
inline F f_add(F x, F y) { LANES x.v[i] += y.v[i]; return x; }
inline F f_sub(F x, F y) { LANES x.v[i] -= y.v[i]; return x; }
inline F f_div(F x, F y) { LANES x.v[i] /= y.v[i]; return x; }
inline F f_max(F x, F y) { LANES x.v[i] = x.v[i] > y.v[i] ? x.v[i] : y.v[i]; return x; }
inline F f_min(F x, F y) { LANES x.v[i] = x.v[i] < y.v[i] ? x.v[i] : y.v[i]; return x; }
inline F f_abs(F x) { LANES x.v[i] = std::fabs(x.v[i]); return x; }
inline float f_highest(F x) {
  for (int i = 1; i < 16; i++) x.v[0] = x.v[0] > x.v[i] ? x.v[0] : x.v[i];
  return x.v[0];
}
inline float f_sum(F x) {
  for (int step = 8; step > 0; step /= 2)
    for (int i = 0; i < step; i++) x.v[i] += x.v[i + step];
  return x.v[0];
}
inline F f_from(I x) { F r; LANES r.v[i] = static_cast<float>(x.v[i]); return r; }
inline F f_zero_below(F x, F at, float limit) { LANES if (at.v[i] < limit) x.v[i] = 0; return x; }
inline F f_power_of_two(I n) {
  F r;
  LANES r.v[i] = std::bit_cast<float>((static_cast<uint32_t>(n.v[i]) + 127u) << 23);
  return r;
}
inline F f_round(F x) { LANES x.v[i] = std::nearbyint(x.v[i]); return x; }
inline F f_scale(F x, F n) {  // x * 2^n for whole n from -126 on
  LANES x.v[i] *= std::bit_cast<float>(static_cast<uint32_t>(n.v[i] > -126 ? static_cast<int32_t>(n.v[i]) + 127 : 1) << 23);
  return x;
}
// 8 floats, each twice; neighbours exchanged; the sign of the first, third ... changed
inline F f_twice(const float* p) { F r; LANES r.v[i] = p[i / 2]; return r; }
inline F f_swap_pairs(F x) { F r; LANES r.v[i] = x.v[i ^ 1]; return r; }
inline F f_negate_even(F x) { for (int i = 0; i < 16; i += 2) x.v[i] = -x.v[i]; return x; }

inline I i_set(int32_t x) { I r; LANES r.v[i] = x; return r; }
inline I i_zero() { return i_set(0); }
inline I i_times_256(I x) { LANES x.v[i] *= 256; return x; }
inline I i_high_byte(I x) { LANES x.v[i] = (x.v[i] + 128) >> 8; return x; }
inline I i_add(I x, I y) { LANES x.v[i] += y.v[i]; return x; }
inline I i_round(F x) {
  I r;  // what the vector instructions give for NaN and beyond the range: the smallest integer
  LANES r.v[i] = std::fabs(x.v[i]) < 2147483648.0f ? static_cast<int32_t>(std::nearbyint(x.v[i])) : INT32_MIN;
  return r;
}
inline int32_t i_sum(I x) { uint32_t sum = 0; LANES sum += static_cast<uint32_t>(x.v[i]); return static_cast<int32_t>(sum); }
inline void i_store_bytes(int8_t* p, I x) { LANES p[i] = static_cast<int8_t>(x.v[i]); }
inline void i_store_shorts(int16_t* p, I x) { LANES p[i] = static_cast<int16_t>(x.v[i]); }
inline P p_set(const int16_t* x) { return {{x[0], x[1]}}; }
inline I i_dot_pairs(I sum, C pairs, P x) {
  int16_t two[32];
  __builtin_memcpy(two, pairs.v, 64);
  LANES sum.v[i] += two[2 * i] * x.v[0] + two[2 * i + 1] * x.v[1];
  return sum;
}
template <bool WIDE>
inline I i_dot(I sum, C codes, const int8_t* x) {
  LANES sum.v[i] += codes.v[4 * i] * x[0] + codes.v[4 * i + 1] * x[1] + codes.v[4 * i + 2] * x[2] +
                    codes.v[4 * i + 3] * x[3];
  return sum;
}

inline C c_load(const uint8_t* p) { C r; __builtin_memcpy(r.v, p, 64); return r; }
inline void c_store(uint8_t* p, C x) { __builtin_memcpy(p, x.v, 64); }
inline C c_or(C x, C y) { for (int i = 0; i < 64; i++) x.v[i] |= y.v[i]; return x; }
template <int SHIFT, int MASK>
inline C c_bits(C x) {
  for (int i = 0; i < 64; i++)
    x.v[i] = static_cast<uint8_t>((SHIFT >= 0 ? x.v[i] >> (SHIFT > 0 ? SHIFT : 0)
                                              : x.v[i] << (SHIFT < 0 ? -SHIFT : 0)) & MASK);
  return x;
}
template <int VALUE>
inline C c_or_bits(C x, const uint8_t* p) {
  for (int i = 0; i < 64; i++)
    if (p[i / 8] >> i % 8 & 1) x.v[i] = static_cast<uint8_t>(x.v[i] | VALUE);
  return x;
}
inline C c_table(C x, const uint8_t* table) { for (int i = 0; i < 64; i++) x.v[i] = table[x.v[i]]; return x; }

#include "matrix.inl"
#include "vector.inl"
#include "adapter.inl"
#include "measure.inl"

}  // namespace

const Kernels& portable_kernels() { return kTable; }
const Measure portable_measure = {measure_read, measure_dot};

}  // namespace qingyu
