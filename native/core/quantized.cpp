#include "quantized.hpp"

#include <cstring>

#include "half.hpp"

namespace qingyu {
namespace {

inline uint16_t u16(const uint8_t* p) {
  uint16_t v;
  std::memcpy(&v, p, 2);
  return v;
}
inline uint32_t u32(const uint8_t* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}

// Scales of a block as they are stored in panels; which fields hold depends on Scales.
struct RawScales {
  uint16_t d = 0, d_minimum = 0;      // f16 bits: of the block, or of the super block
  uint8_t scale[2] = {}, minimum[2] = {};
};

// Q4_K and Q5_K: 8 six-bit scales and minima in 12 bytes.
void six_bit_pair(const uint8_t* s, int j, uint8_t& scale, uint8_t& minimum) {
  if (j < 4) {
    scale = s[j] & 63;
    minimum = s[j + 4] & 63;
  } else {
    scale = static_cast<uint8_t>((s[j + 4] & 15) | (s[j - 4] >> 6) << 4);
    minimum = static_cast<uint8_t>((s[j + 4] >> 4) | (s[j] >> 6) << 4);
  }
}

inline void nibbles(const uint8_t* q, uint8_t* codes) {
  for (int i = 0; i < 16; i++) {
    codes[i] = q[i] & 15;
    codes[i + 16] = q[i] >> 4;
  }
}

inline void fifth_bits(uint32_t high, uint8_t* codes) {
  for (int i = 0; i < 32; i++) codes[i] = static_cast<uint8_t>(codes[i] | (high >> i & 1) << 4);
}

template <Type T>
inline void read_raw(const uint8_t* row, int index, uint8_t* codes, RawScales& raw) {
  constexpr const Format& f = *find_format(T);
  const uint8_t* p = row + static_cast<size_t>(index * kBlock / f.file_block) * f.file_bytes;
  const int part = index % 8, half = part / 4, shift = 2 * (part % 4);  // inside a super block
  if constexpr (T == Type::Q4_0 || T == Type::IQ4_NL) {
    raw.d = u16(p);
    nibbles(p + 2, codes);
  } else if constexpr (T == Type::Q4_1) {
    raw.d = u16(p);
    raw.d_minimum = u16(p + 2);
    nibbles(p + 4, codes);
  } else if constexpr (T == Type::Q5_0) {
    raw.d = u16(p);
    nibbles(p + 6, codes);
    fifth_bits(u32(p + 2), codes);
  } else if constexpr (T == Type::Q5_1) {
    raw.d = u16(p);
    raw.d_minimum = u16(p + 2);
    nibbles(p + 8, codes);
    fifth_bits(u32(p + 4), codes);
  } else if constexpr (T == Type::Q8_0) {
    raw.d = u16(p);
    for (int i = 0; i < 32; i++) codes[i] = p[2 + i] ^ 128;
  } else if constexpr (T == Type::Q2_K) {  // scales[16], codes[64], d, dmin
    for (int i = 0; i < 32; i++) codes[i] = p[16 + 32 * half + i] >> shift & 3;
    for (int s = 0; s < 2; s++) raw.scale[s] = p[2 * part + s];
    raw.d = u16(p + 80);
    raw.d_minimum = u16(p + 82);
  } else if constexpr (T == Type::Q3_K) {  // high bits[32], codes[64], scales[12], d
    for (int i = 0; i < 32; i++)
      codes[i] = static_cast<uint8_t>((p[32 + 32 * half + i] >> shift & 3) | (p[i] >> part & 1) << 2);
    const uint8_t* packed = p + 96;
    for (int s = 0; s < 2; s++) {
      const int i = 2 * part + s;
      const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
      const int high = packed[8 + i % 4] >> 2 * (i / 4) & 3;
      raw.scale[s] = static_cast<uint8_t>((low | high << 4) - 32);
    }
    raw.d = u16(p + 108);
  } else if constexpr (T == Type::Q4_K || T == Type::Q5_K) {  // d, dmin, scales[12], (high[32],) codes[128]
    raw.d = u16(p);
    raw.d_minimum = u16(p + 2);
    six_bit_pair(p + 4, part, raw.scale[0], raw.minimum[0]);
    const uint8_t* q = p + (T == Type::Q5_K ? 48 : 16) + 32 * (part / 2);
    const int nibble = 4 * (part % 2);
    for (int i = 0; i < 32; i++) codes[i] = q[i] >> nibble & 15;
    if constexpr (T == Type::Q5_K)
      for (int i = 0; i < 32; i++) codes[i] = static_cast<uint8_t>(codes[i] | (p[16 + i] >> part & 1) << 4);
  } else if constexpr (T == Type::Q6_K) {  // low[128], high[64], scales[16], d
    const uint8_t* low = p + 64 * half + 32 * (part % 2);
    const uint8_t* high = p + 128 + 32 * half;
    const int nibble = part % 4 < 2 ? 0 : 4;
    for (int i = 0; i < 32; i++)
      codes[i] = static_cast<uint8_t>((low[i] >> nibble & 15) | (high[i] >> shift & 3) << 4);
    for (int s = 0; s < 2; s++) raw.scale[s] = p[192 + 2 * part + s];
    raw.d = u16(p + 208);
  }
}

void expand_scales(const Format& f, const RawScales& raw, BlockValues& out) {
  const float d = f16_to_f32(raw.d), d_minimum = f16_to_f32(raw.d_minimum);
  for (int s = 0; s < 2; s++) {
    switch (f.scales) {
      case Scales::None: break;
      case Scales::Half: out.scale[s] = d; out.minimum[s] = 0; break;
      case Scales::HalfMin: out.scale[s] = d; out.minimum[s] = d_minimum; break;
      case Scales::Byte:
        out.scale[s] = d * static_cast<float>(raw.scale[0]);
        out.minimum[s] = -(d_minimum * static_cast<float>(raw.minimum[0]));
        break;
      case Scales::Byte16:
        out.scale[s] = d * static_cast<float>(static_cast<int8_t>(raw.scale[s]));
        out.minimum[s] = 0;
        break;
      case Scales::Nibble16:
        out.scale[s] = d * static_cast<float>(raw.scale[s] & 15);
        out.minimum[s] = -(d_minimum * static_cast<float>(raw.scale[s] >> 4));
        break;
    }
  }
}

inline void values_of(const Format& f, const BlockValues& block, float* out) {
  for (int i = 0; i < kBlock; i++) {
    const int code = f.codebook ? kCodebook[block.codes[i]] : block.codes[i];
    const float product = block.scale[i / 16] * static_cast<float>(code - f.offset);
    out[i] = has_minimum(f.scales) ? product + block.minimum[i / 16] : product;
  }
}

inline uint32_t word(const uint8_t* codes, int quad) { return u32(codes + 4 * quad); }

// codes[16][32] of one block into its planes.
void store_planes(const Format& f, const uint8_t (*codes)[kBlock], uint8_t* low, uint8_t* high) {
  for (int r = 0; r < kLanes; r++) {
    const uint8_t* c = codes[r];
    uint8_t* out = low + 4 * r;
    if (f.low_bits == 8) {
      for (int q = 0; q < 8; q++) std::memcpy(out + 64 * q, c + 4 * q, 4);
    } else if (f.low_bits == 4) {
      for (int j = 0; j < 4; j++) {
        const uint32_t v = (word(c, 2 * j) & 0x0f0f0f0f) | (word(c, 2 * j + 1) & 0x0f0f0f0f) << 4;
        std::memcpy(out + 64 * j, &v, 4);
      }
    } else {
      for (int j = 0; j < 2; j++) {
        uint32_t v = 0;
        for (int i = 0; i < 4; i++) v |= (word(c, 4 * j + i) & 0x03030303) << 2 * i;
        std::memcpy(out + 64 * j, &v, 4);
      }
    }
    if (f.high_bits == 2) {
      for (int j = 0; j < 2; j++) {
        uint32_t v = 0;
        for (int i = 0; i < 4; i++) v |= (word(c, 4 * j + i) >> 4 & 0x03030303) << 2 * i;
        std::memcpy(high + 64 * j + 4 * r, &v, 4);
      }
    } else if (f.high_bits == 1) {
      for (int q = 0; q < 8; q++) {
        const uint32_t v = word(c, q) >> f.low_bits & 0x01010101;
        const uint8_t bits = static_cast<uint8_t>((v | v >> 7 | v >> 14 | v >> 21) & 15);
        uint8_t& byte = high[8 * q + r / 2];
        byte = static_cast<uint8_t>(r % 2 ? byte | bits << 4 : bits);
      }
    }
  }
}

void store_scales(const Format& f, const RawScales& raw, int block, int r, uint8_t* scales, uint8_t* super) {
  uint8_t* s = scales + static_cast<size_t>(block) * scale_bytes(f.scales);
  switch (f.scales) {
    case Scales::None: return;
    case Scales::HalfMin: std::memcpy(s + 32 + 2 * r, &raw.d_minimum, 2); [[fallthrough]];
    case Scales::Half: std::memcpy(s + 2 * r, &raw.d, 2); return;
    case Scales::Byte: s[r] = raw.scale[0]; s[16 + r] = raw.minimum[0]; break;
    case Scales::Byte16:
    case Scales::Nibble16: s[r] = raw.scale[0]; s[16 + r] = raw.scale[1]; break;
  }
  if (block % 8 == 0) {
    uint8_t* p = super + static_cast<size_t>(block / 8) * super_bytes(f.scales);
    std::memcpy(p + 2 * r, &raw.d, 2);
    if (has_minimum(f.scales)) std::memcpy(p + 32 + 2 * r, &raw.d_minimum, 2);
  }
}

template <Type T>
void pack_quantized(const uint8_t* data, int rows, int columns, int first, int last, uint8_t* out) {
  constexpr const Format& f = *find_format(T);
  const PanelLayout at(f, static_cast<size_t>(columns));
  const size_t row_bytes = static_cast<size_t>(columns / f.file_block) * f.file_bytes;
  alignas(64) uint8_t codes[kLanes][kBlock];
  for (int p = first; p < last; p++) {
    uint8_t* panel = out + static_cast<size_t>(p) * at.bytes;
    for (int b = 0; b < columns / kBlock; b++) {
      for (int r = 0; r < kLanes; r++) {
        RawScales raw;
        if (p * kLanes + r < rows)
          read_raw<T>(data + static_cast<size_t>(p * kLanes + r) * row_bytes, b, codes[r], raw);
        else
          std::memset(codes[r], 0, kBlock);
        store_scales(f, raw, b, r, panel + at.scales, panel + at.super);
      }
      store_planes(f, codes, panel + at.low + static_cast<size_t>(b * f.low_bits) * 64,
                   panel + at.high + static_cast<size_t>(b * f.high_bits) * 64);
    }
  }
}

template <class Element>
void pack_float(const uint8_t* data, int rows, int columns, int first, int last, uint8_t* out) {
  const size_t bytes = PanelLayout(*find_format(sizeof(Element) == 4 ? Type::F32 : Type::F16), static_cast<size_t>(columns)).bytes;
  constexpr size_t size = sizeof(Element), run = 64 / size;  // a cache line of each row at a time
  const size_t width = static_cast<size_t>(columns);
  for (int p = first; p < last; p++) {
    uint8_t* panel = out + static_cast<size_t>(p) * bytes;
    const size_t here = static_cast<size_t>(rows - p * kLanes < kLanes ? rows - p * kLanes : kLanes);
    const uint8_t* from = data + static_cast<size_t>(p) * kLanes * width * size;
    for (size_t start = 0; start < width; start += run) {
      const size_t end = start + run < width ? start + run : width;
      for (size_t r = 0; r < here; r++)
        for (size_t k = start; k < end; k++)
          std::memcpy(panel + (k * kLanes + r) * size, from + (r * width + k) * size, size);
    }
  }
}

#define FOR_QUANTIZED(DO) \
  DO(Q4_0) DO(Q4_1) DO(Q5_0) DO(Q5_1) DO(Q8_0) DO(Q2_K) DO(Q3_K) DO(Q4_K) DO(Q5_K) DO(Q6_K) DO(IQ4_NL)

}  // namespace

void read_block(const Format& f, const uint8_t* row, int index, BlockValues& out) {
  RawScales raw;
  switch (f.type) {
#define CASE(T) case Type::T: read_raw<Type::T>(row, index, out.codes, raw); break;
    FOR_QUANTIZED(CASE)
#undef CASE
    default: return;
  }
  expand_scales(f, raw, out);
}

void dequantize(const Format& f, const uint8_t* data, size_t count, float* out) {
  if (f.type == Type::F32) {
    std::memcpy(out, data, count * 4);
  } else if (is_float(f)) {
    for (size_t i = 0; i < count; i++)
      out[i] = f.type == Type::F16 ? f16_to_f32(u16(data + 2 * i)) : bf16_to_f32(u16(data + 2 * i));
  } else {
    BlockValues block;
    for (size_t done = 0; done < count; done += kSuperBlock) {  // keeps block indices small
      const uint8_t* at = data + done / static_cast<size_t>(f.file_block) * static_cast<size_t>(f.file_bytes);
      for (size_t b = 0; b < 8 && done + b * kBlock < count; b++) {
        read_block(f, at, static_cast<int>(b), block);
        values_of(f, block, out + done + b * kBlock);
      }
    }
  }
}

size_t packed_bytes(const Format& f, int rows, int columns) {
  return PanelLayout(f, static_cast<size_t>(columns)).bytes * static_cast<size_t>((rows + kLanes - 1) / kLanes);
}

void pack_panels(const Format& f, const uint8_t* data, int rows, int columns, int first, int last,
                 uint8_t* out) {
  switch (f.type) {
#define CASE(T) case Type::T: return pack_quantized<Type::T>(data, rows, columns, first, last, out);
    FOR_QUANTIZED(CASE)
#undef CASE
    case Type::F32: return pack_float<uint32_t>(data, rows, columns, first, last, out);
    case Type::F16:
    case Type::BF16: return pack_float<uint16_t>(data, rows, columns, first, last, out);
  }
}

void dequantize_row(const Matrix& m, int row, float* out) {
  const Format& f = *m.format;
  const uint8_t* panel = m.panel(row / kLanes);
  const int r = row % kLanes;
  if (is_float(f)) {
    for (int k = 0; k < m.columns; k++) {
      const size_t at = static_cast<size_t>(k * kLanes + r) * static_cast<size_t>(f.file_bytes);
      if (f.type == Type::F32) std::memcpy(out + k, panel + at, 4);
      else out[k] = f.type == Type::F16 ? f16_to_f32(u16(panel + at)) : bf16_to_f32(u16(panel + at));
    }
    return;
  }
  const PanelLayout layout(f, static_cast<size_t>(m.columns));
  for (int b = 0; b < m.columns / kBlock; b++) {
    const uint8_t* low = panel + layout.low + static_cast<size_t>(b * f.low_bits) * 64;
    const uint8_t* high = panel + layout.high + static_cast<size_t>(b * f.high_bits) * 64;
    const uint8_t* s = panel + layout.scales + static_cast<size_t>(b) * scale_bytes(f.scales);
    const uint8_t* super = panel + layout.super + static_cast<size_t>(b / 8) * super_bytes(f.scales);
    BlockValues block;
    for (int i = 0; i < kBlock; i++) {
      const int q = i / 4, at = 4 * r + i % 4;
      int code = 0;
      if (f.low_bits == 8) code = low[64 * q + at];
      else if (f.low_bits == 4) code = low[64 * (q / 2) + at] >> 4 * (q % 2) & 15;
      else code = low[64 * (q / 4) + at] >> 2 * (q % 4) & 3;
      if (f.high_bits == 1) code |= (high[8 * q + at / 8] >> at % 8 & 1) << f.low_bits;
      else if (f.high_bits == 2) code |= (high[64 * (q / 4) + at] >> 2 * (q % 4) & 3) << 4;
      block.codes[i] = static_cast<uint8_t>(code);
    }
    RawScales raw;
    if (f.scales == Scales::Half || f.scales == Scales::HalfMin) {
      raw.d = u16(s + 2 * r);
      if (f.scales == Scales::HalfMin) raw.d_minimum = u16(s + 32 + 2 * r);
    } else {
      raw.d = u16(super + 2 * r);
      if (has_minimum(f.scales)) raw.d_minimum = u16(super + 32 + 2 * r);
      raw.scale[0] = s[r];
      raw.scale[1] = raw.minimum[0] = s[16 + r];
    }
    expand_scales(f, raw, block);
    values_of(f, block, out + b * kBlock);
  }
}

}  // namespace qingyu
