// Vector primitives for AVX-512 with VNNI: one register is 16 rows.
#include <immintrin.h>

#include <cmath>
#include <utility>

#include "kernels.hpp"
#include "measure_kernels.hpp"

#define UNROLL _Pragma("GCC unroll 16")

namespace qingyu {
namespace {

constexpr const char* kName = "avx512";
#if defined(QINGYU_SANITIZE)
constexpr int kTile = 5;          // fewer copies of the same code for the sanitizers to compile
constexpr int kProjectTile = 2;
#else
constexpr int kTile = 12;         // 12 sums, 12 dot products, codes and temporaries: 32 registers
constexpr int kProjectTile = 6;   // 6 x 4 sums
#endif
constexpr int kFloatPanels = 2;   // 2 x 12 sums
constexpr bool kWideDiffers = false;

using F = __m512;  // 16 floats
using I = __m512i;  // 16 int32
using C = __m512i;  // 64 codes
using P = __m512i;  // a pair of int16, 16 times

inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

inline F f_zero() { return _mm512_setzero_ps(); }
inline F f_set(float v) { return _mm512_set1_ps(v); }
inline F f_load(const float* p) { return _mm512_loadu_ps(p); }
inline void f_store(float* p, F v) { _mm512_storeu_ps(p, v); }
inline F f_half(const void* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
inline F f_brain(const void* p) {
  const __m256i v = _mm256_loadu_si256(static_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}
template <int SHIFT, int MASK>
inline F f_bytes(const uint8_t* p) {
  __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  if constexpr (SHIFT) v = _mm_srli_epi16(v, SHIFT);
  if constexpr (MASK != 255) v = _mm_and_si128(v, _mm_set1_epi8(MASK));
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(v));
}
inline F f_signed_bytes(const uint8_t* p) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline F f_fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
inline F f_mul(F a, F b) { return _mm512_mul_ps(a, b); }
inline F f_add(F a, F b) { return _mm512_add_ps(a, b); }
inline F f_sub(F a, F b) { return _mm512_sub_ps(a, b); }
inline F f_div(F a, F b) { return _mm512_div_ps(a, b); }
inline F f_max(F a, F b) { return _mm512_max_ps(a, b); }
inline F f_min(F a, F b) { return _mm512_min_ps(a, b); }
inline F f_abs(F v) { return _mm512_abs_ps(v); }
inline float f_highest(F v) { return _mm512_reduce_max_ps(v); }
inline float f_sum(F v) {
  const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
inline F f_from(I v) { return _mm512_cvtepi32_ps(v); }
inline F f_zero_below(F v, F x, float limit) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(limit), _CMP_NLT_UQ), v);
}
inline F f_power_of_two(I n) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
}
inline F f_round(F v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline F f_scale(F v, F n) { return _mm512_scalef_ps(v, n); }  // v * 2^n for whole n from -126 on
// 8 floats, each twice; neighbours exchanged; the sign of the first, third ... changed
inline F f_twice(const float* p) {
  const I each = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
  return _mm512_permutexvar_ps(each, _mm512_castps256_ps512(_mm256_loadu_ps(p)));
}
inline F f_swap_pairs(F v) { return _mm512_permute_ps(v, 0xB1); }
inline F f_negate_even(F v) {
  return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(v), _mm512_set1_epi64(0x80000000)));
}

inline I i_zero() { return _mm512_setzero_si512(); }
inline I i_set(int32_t v) { return _mm512_set1_epi32(v); }
inline I i_add(I a, I b) { return _mm512_add_epi32(a, b); }
inline I i_times_256(I v) { return _mm512_slli_epi32(v, 8); }
inline I i_high_byte(I v) { return _mm512_srai_epi32(_mm512_add_epi32(v, _mm512_set1_epi32(128)), 8); }
inline I i_round(F v) { return _mm512_cvtps_epi32(v); }
inline int32_t i_sum(I v) { return _mm512_reduce_add_epi32(v); }
inline void i_store_bytes(int8_t* p, I v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(v));
}
inline void i_store_shorts(int16_t* p, I v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(v));
}
inline P p_set(const int16_t* x) {
  int32_t two;
  __builtin_memcpy(&two, x, 4);
  return _mm512_set1_epi32(two);
}
// v += pairs . x for 2 columns of int16. As assembly: GCC 12 copies the sums of the intrinsic about.
inline I i_dot_pairs(I v, C pairs, P x) {
  asm("vpdpwssd %2, %1, %0" : "+v"(v) : "v"(pairs), "v"(x));
  return v;
}
// v += codes . x for 4 columns; x points at their 4 int8 values
template <bool WIDE>
inline I i_dot(I v, C codes, const int8_t* x) {
  int32_t quad;
  __builtin_memcpy(&quad, x, 4);
  return _mm512_dpbusd_epi32(v, codes, _mm512_set1_epi32(quad));
}

inline C c_load(const uint8_t* p) { return _mm512_loadu_si512(p); }
inline void c_store(uint8_t* p, C v) { _mm512_storeu_si512(p, v); }
inline C c_or(C a, C b) { return _mm512_or_si512(a, b); }
template <int SHIFT, int MASK>
inline C c_bits(C v) {
  if constexpr (SHIFT > 0) v = _mm512_srli_epi16(v, SHIFT);
  if constexpr (SHIFT < 0) v = _mm512_slli_epi16(v, -SHIFT);
  return _mm512_and_si512(v, _mm512_set1_epi8(MASK));
}
// v | VALUE where the code's bit is set in the 64 bits at p
template <int VALUE>
inline C c_or_bits(C v, const uint8_t* p) {
  uint64_t bits;
  __builtin_memcpy(&bits, p, 8);
  return _mm512_mask_add_epi8(v, bits, v, _mm512_set1_epi8(VALUE));
}
inline C c_table(C v, const uint8_t* table) {
  return _mm512_shuffle_epi8(
      _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(table))), v);
}

#include "matrix.inl"
#include "vector.inl"
#include "adapter.inl"
#include "measure.inl"

}  // namespace

const Kernels& avx512_kernels() { return kTable; }
const Measure avx512_measure = {measure_read, measure_dot};

}  // namespace qingyu
