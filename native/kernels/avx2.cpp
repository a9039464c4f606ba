// Vector primitives for AVX2 with FMA: two registers are 16 rows.
#include <immintrin.h>

#include <cmath>
#include <utility>

#include "kernels.hpp"
#include "measure_kernels.hpp"

#define UNROLL _Pragma("GCC unroll 16")

namespace qingyu {
namespace {

constexpr const char* kName = "avx2";
constexpr int kTile = 4;
constexpr int kProjectTile = 1;   // 4 sums of two registers
constexpr int kFloatPanels = 1;
constexpr bool kWideDiffers = true;

struct F { __m256 a, b; };
struct I { __m256i a, b; };
struct C { __m256i a, b; };  // codes of rows 0-7 and 8-15
using P = __m256i;  // a pair of int16, 8 times

inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

inline F f_zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline F f_set(float v) { return {_mm256_set1_ps(v), _mm256_set1_ps(v)}; }
inline F f_load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void f_store(float* p, F v) {
  _mm256_storeu_ps(p, v.a);
  _mm256_storeu_ps(p + 8, v.b);
}
inline F f_half(const void* p) {
  const __m128i* q = static_cast<const __m128i*>(p);
  return {_mm256_cvtph_ps(_mm_loadu_si128(q)), _mm256_cvtph_ps(_mm_loadu_si128(q + 1))};
}
inline F f_brain(const void* p) {
  const __m128i* q = static_cast<const __m128i*>(p);
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(q)), 16)),
          _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(q + 1)), 16))};
}
template <int SHIFT, int MASK>
inline F f_bytes(const uint8_t* p) {
  __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  if constexpr (SHIFT) v = _mm_srli_epi16(v, SHIFT);
  if constexpr (MASK != 255) v = _mm_and_si128(v, _mm_set1_epi8(MASK));
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(v)),
          _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(v, 8)))};
}
inline F f_signed_bytes(const uint8_t* p) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(v, 8)))};
}
inline F f_fma(F x, F y, F z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
inline F f_mul(F x, F y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
inline F f_add(F x, F y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
inline F f_sub(F x, F y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
inline F f_div(F x, F y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
inline F f_max(F x, F y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
inline F f_min(F x, F y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
inline F f_abs(F v) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, v.a), _mm256_andnot_ps(sign, v.b)};
}
inline float f_highest(F v) {
  const __m256 a = _mm256_max_ps(v.a, v.b);
  const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}
inline float f_sum(F v) {
  const __m256 a = _mm256_add_ps(v.a, v.b);
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
inline F f_from(I v) { return {_mm256_cvtepi32_ps(v.a), _mm256_cvtepi32_ps(v.b)}; }
inline F f_zero_below(F v, F x, float limit) {
  const __m256 l = _mm256_set1_ps(limit);
  return {_mm256_and_ps(v.a, _mm256_cmp_ps(x.a, l, _CMP_NLT_UQ)),
          _mm256_and_ps(v.b, _mm256_cmp_ps(x.b, l, _CMP_NLT_UQ))};
}
inline __m256 power_of_two(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
inline F f_power_of_two(I n) { return {power_of_two(n.a), power_of_two(n.b)}; }
inline __m256 round_whole(__m256 v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline F f_round(F v) { return {round_whole(v.a), round_whole(v.b)}; }
inline F f_scale(F v, F n) {  // v * 2^n for whole n from -126 on
  const F least = f_max(n, f_set(-126.0f));
  return f_mul(v, f_power_of_two({_mm256_cvtps_epi32(least.a), _mm256_cvtps_epi32(least.b)}));
}
// 8 floats, each twice; neighbours exchanged; the sign of the first, third ... changed
inline F f_twice(const float* p) {
  const __m256 v = _mm256_loadu_ps(p);
  const __m256 low = _mm256_unpacklo_ps(v, v), high = _mm256_unpackhi_ps(v, v);
  return {_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31)};
}
inline F f_swap_pairs(F v) { return {_mm256_permute_ps(v.a, 0xB1), _mm256_permute_ps(v.b, 0xB1)}; }
inline F f_negate_even(F v) {
  const __m256 even = _mm256_setr_ps(-0.0f, 0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f, 0.0f);
  return {_mm256_xor_ps(v.a, even), _mm256_xor_ps(v.b, even)};
}

inline I i_zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline I i_set(int32_t v) { return {_mm256_set1_epi32(v), _mm256_set1_epi32(v)}; }
inline I i_add(I x, I y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
inline I i_times_256(I v) { return {_mm256_slli_epi32(v.a, 8), _mm256_slli_epi32(v.b, 8)}; }
inline I i_high_byte(I v) {
  const __m256i half = _mm256_set1_epi32(128);
  return {_mm256_srai_epi32(_mm256_add_epi32(v.a, half), 8), _mm256_srai_epi32(_mm256_add_epi32(v.b, half), 8)};
}
inline I i_round(F v) { return {_mm256_cvtps_epi32(v.a), _mm256_cvtps_epi32(v.b)}; }
inline int32_t i_sum(I v) {
  alignas(32) int32_t lanes[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), _mm256_add_epi32(v.a, v.b));
  int32_t sum = 0;
  for (int i = 0; i < 8; i++) sum += lanes[i];
  return sum;
}
inline void i_store_bytes(int8_t* p, I v) {
  alignas(32) int32_t lanes[16];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), v.a);
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes + 8), v.b);
  for (int i = 0; i < 16; i++) p[i] = static_cast<int8_t>(lanes[i]);
}
inline void i_store_shorts(int16_t* p, I v) {
  alignas(32) int32_t lanes[16];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), v.a);
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes + 8), v.b);
  for (int i = 0; i < 16; i++) p[i] = static_cast<int16_t>(lanes[i]);
}
inline P p_set(const int16_t* x) {
  int32_t two;
  __builtin_memcpy(&two, x, 4);
  return _mm256_set1_epi32(two);
}
inline I i_dot_pairs(I v, C pairs, P x) {
  return {_mm256_add_epi32(v.a, _mm256_madd_epi16(pairs.a, x)), _mm256_add_epi32(v.b, _mm256_madd_epi16(pairs.b, x))};
}
inline __m256i dot_narrow(__m256i sum, __m256i codes, __m256i x) {  // codes below 128
  const __m256i pairs = _mm256_maddubs_epi16(codes, x);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
// Codes up to 255 would saturate the 16-bit pairs, so even and odd columns go through 16 bits.
inline __m256i dot_wide(__m256i sum, __m256i codes, __m256i x) {
  const __m256i even = _mm256_madd_epi16(_mm256_and_si256(codes, _mm256_set1_epi16(255)),
                                         _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8));
  const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(codes, 8), _mm256_srai_epi16(x, 8));
  return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
}
template <bool WIDE>
inline I i_dot(I v, C codes, const int8_t* x) {
  int32_t quad;
  __builtin_memcpy(&quad, x, 4);
  const __m256i q = _mm256_set1_epi32(quad);
  if constexpr (WIDE) return {dot_wide(v.a, codes.a, q), dot_wide(v.b, codes.b, q)};
  else return {dot_narrow(v.a, codes.a, q), dot_narrow(v.b, codes.b, q)};
}

inline C c_load(const uint8_t* p) {
  const __m256i* q = reinterpret_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
}
inline void c_store(uint8_t* p, C v) {
  __m256i* q = reinterpret_cast<__m256i*>(p);
  _mm256_storeu_si256(q, v.a);
  _mm256_storeu_si256(q + 1, v.b);
}
inline C c_or(C x, C y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
template <int SHIFT, int MASK>
inline __m256i bits(__m256i v) {
  if constexpr (SHIFT > 0) v = _mm256_srli_epi16(v, SHIFT);
  if constexpr (SHIFT < 0) v = _mm256_slli_epi16(v, -SHIFT);
  return _mm256_and_si256(v, _mm256_set1_epi8(MASK));
}
template <int SHIFT, int MASK>
inline C c_bits(C v) { return {bits<SHIFT, MASK>(v.a), bits<SHIFT, MASK>(v.b)}; }
template <int VALUE>
inline __m256i or_bits(__m256i v, const uint8_t* p) {  // 32 bits at p, one for each byte of v
  int32_t word;
  __builtin_memcpy(&word, p, 4);
  const __m256i spread = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ull));
  const __m256i byte = _mm256_shuffle_epi8(_mm256_set1_epi32(word), spread);
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(byte, bit), bit);
  return _mm256_or_si256(v, _mm256_and_si256(set, _mm256_set1_epi8(VALUE)));
}
template <int VALUE>
inline C c_or_bits(C v, const uint8_t* p) { return {or_bits<VALUE>(v.a, p), or_bits<VALUE>(v.b, p + 4)}; }
inline C c_table(C v, const uint8_t* table) {
  const __m256i t = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
  return {_mm256_shuffle_epi8(t, v.a), _mm256_shuffle_epi8(t, v.b)};
}

#include "matrix.inl"
#include "vector.inl"
#include "adapter.inl"
#include "measure.inl"

}  // namespace

const Kernels& avx2_kernels() { return kTable; }
const Measure avx2_measure = {measure_read, measure_dot};

}  // namespace qingyu
