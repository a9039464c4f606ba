// How matrices, activations and keys lie in memory. Shared by the packer and all kernels.
//
// A matrix [rows, columns] is cut into panels of 16 rows. One lane of a vector is one row, so
// every row's sum runs over the columns in one order, whatever the batch, the number of
// threads or the instruction set.
//
// Quantized panel: blocks of 32 columns. Codes are unsigned; a value is
//     scale * (code - offset) + minimum
// and the planes of a panel follow each other, each a run over its blocks:
//
//     low plane    [blocks][low_bits * 64]    see below
//     high plane   [blocks][high_bits * 64]   the bits above the low plane's
//     scales       [blocks][scale_bytes]
//     super scales [blocks / 8][super_bytes]  K-quants only: f16 d[16], f16 dmin[16]
//
// A "quad" is 4 neighbouring columns of 16 rows, 64 codes, byte 4 * row + column: the shape one
// int8 dot-product instruction takes. A block has 8 quads, and its planes hold
//
//     low 8: quad q in bytes 64 q ...           low 4: quads 2j | 2j + 1 in the nibbles of vector j
//     low 2: quads 4j | 4j+1 | 4j+2 | 4j+3 in the bit pairs of vector j
//     high 1: bit n of the 64-bit word q is code n of quad q      high 2: as low 2
//
// Float panel: [columns][16] values of 2 or 4 bytes.
#pragma once
#include <cstddef>
#include <cstdint>

namespace qingyu {

constexpr int kLanes = 16;        // rows of a panel
constexpr int kBlock = 32;        // columns of a block
constexpr int kSuperBlock = 256;  // columns that share a super scale in K-quants
constexpr int kPageTokens = 32;   // positions of a key-value page

// Numbers are those of GGML types in GGUF files.
enum class Type : int {
  F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8,
  Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14, IQ4_NL = 20, BF16 = 30,
};

enum class Scales : uint8_t {
  None,       // float panels
  Half,       // f16 scale[16]
  HalfMin,    // f16 scale[16], f16 minimum[16]
  Byte,       // u8 scale[16], u8 minimum[16], times d and -dmin
  Byte16,     // s8 scale[2][16], one for each 16 columns, times d
  Nibble16,   // u8 (scale | minimum << 4)[2][16], times d and -dmin
};

struct Format {
  Type type;
  int file_block;    // values of a block in the file
  int file_bytes;    // bytes of a block in the file
  int low_bits, high_bits;
  int offset;
  Scales scales;
  bool codebook;     // codes index the IQ4_NL table
};

constexpr Format kFormats[] = {
    {Type::F32, 1, 4, 0, 0, 0, Scales::None, false},
    {Type::F16, 1, 2, 0, 0, 0, Scales::None, false},
    {Type::BF16, 1, 2, 0, 0, 0, Scales::None, false},
    {Type::Q4_0, 32, 18, 4, 0, 8, Scales::Half, false},
    {Type::Q4_1, 32, 20, 4, 0, 0, Scales::HalfMin, false},
    {Type::Q5_0, 32, 22, 4, 1, 16, Scales::Half, false},
    {Type::Q5_1, 32, 24, 4, 1, 0, Scales::HalfMin, false},
    {Type::Q8_0, 32, 34, 8, 0, 128, Scales::Half, false},
    {Type::Q2_K, 256, 84, 2, 0, 0, Scales::Nibble16, false},
    {Type::Q3_K, 256, 110, 2, 1, 4, Scales::Byte16, false},
    {Type::Q4_K, 256, 144, 4, 0, 0, Scales::Byte, false},
    {Type::Q5_K, 256, 176, 4, 1, 0, Scales::Byte, false},
    {Type::Q6_K, 256, 210, 4, 2, 32, Scales::Byte16, false},
    {Type::IQ4_NL, 32, 18, 4, 0, 128, Scales::Half, true},
};

static constexpr const Format* find_format(Type type) {
  for (const Format& format : kFormats)
    if (format.type == type) return &format;
  return nullptr;
}

// The IQ4_NL code book plus 128, so that codes stay unsigned (values: ggml-common.h).
alignas(16) constexpr uint8_t kCodebook[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                               129, 141, 153, 166, 181, 197, 217, 241};

static constexpr int scale_bytes(Scales scales) {
  switch (scales) {
    case Scales::None: return 0;
    case Scales::HalfMin: return 64;
    default: return 32;
  }
}
static constexpr int super_bytes(Scales scales) {
  switch (scales) {
    case Scales::Byte16: return 32;
    case Scales::Byte:
    case Scales::Nibble16: return 64;
    default: return 0;
  }
}
static constexpr bool has_minimum(Scales s) {
  return s == Scales::HalfMin || s == Scales::Byte || s == Scales::Nibble16;
}
static constexpr int sub_blocks(Scales s) { return s == Scales::Byte16 || s == Scales::Nibble16 ? 2 : 1; }
static constexpr bool is_float(const Format& f) { return f.scales == Scales::None; }

// Where the planes of a panel start, in bytes from the panel's own start.
struct PanelLayout {
  size_t low, high, scales, super, bytes;
  [[gnu::always_inline]] constexpr PanelLayout(const Format& f, size_t columns)
      : low(0), high(0), scales(0), super(0), bytes(0) {
    if (is_float(f)) {
      bytes = columns * kLanes * static_cast<size_t>(f.file_bytes);
    } else {
      const size_t blocks = columns / kBlock;
      high = blocks * static_cast<size_t>(f.low_bits) * 64;
      scales = high + blocks * static_cast<size_t>(f.high_bits) * 64;
      super = scales + blocks * static_cast<size_t>(scale_bytes(f.scales));
      bytes = super + blocks / 8 * static_cast<size_t>(super_bytes(f.scales));
    }
    bytes = (bytes + 63) / 64 * 64;
  }
};

// A repacked matrix.
struct Matrix {
  const Format* format = nullptr;
  int rows = 0, columns = 0;
  const uint8_t* data = nullptr;  // [panels][layout.bytes], 64-byte aligned
  size_t panel_bytes = 0;
  [[gnu::always_inline]] int panels() const { return (rows + kLanes - 1) / kLanes; }
  [[gnu::always_inline]] const uint8_t* panel(int p) const {
    return data + static_cast<size_t>(p) * panel_bytes;
  }
};

// Which corrections for the codes' offset an activation block carries, one slot for each
// (offset, sub-blocks) that occurs; `minus` is -offset * (sum of the int8 codes).
constexpr int kNumOffsetSlots = 5;
static constexpr int offset_slot(const Format& f) {
  switch (f.offset) {
    case 8: return 0;
    case 16: return 1;
    case 128: return 2;
    case 32: return 3;
    case 4: return 4;
    default: return -1;
  }
}
constexpr int kSlotOffset[kNumOffsetSlots] = {8, 16, 128, 32, 4};
constexpr int kSlotSubBlocks[kNumOffsetSlots] = {1, 1, 1, 2, 2};
constexpr unsigned kNeedOffsets = (1u << kNumOffsetSlots) - 1;
constexpr unsigned kNeedFloats = 1u << 8, kNeedSums1 = 1u << 9, kNeedSums2 = 1u << 10;
constexpr unsigned kNeedHalves = kNeedSums2 | 1u << 3 | 1u << 4;  // sums over 16 columns

// What a matrix of this format wants prepared: a bit set of slots and the flags above.
static constexpr unsigned needs_of(const Format& f) {
  if (is_float(f)) return kNeedFloats;
  if (has_minimum(f.scales)) return sub_blocks(f.scales) == 1 ? kNeedSums1 : kNeedSums2;
  return 1u << offset_slot(f);
}

// Activations of `tokens` rows, as the matrix kernels take them. Tokens are cut into tiles of
// `tile` tokens (the last may be shorter, then its own length is the stride inside it):
//     codes              [tile][block][token][32] int8, value = scale * code
//     fine               the same; not null for activations of 16 bits: a code is 256 * codes + fine
//     scale              [tile][block][token]
//     minus[slot], sums  [tile][block][token][sub-block]; sums = scale * (sum of codes)
//     floats             [tile][column][token], for float matrices, unquantized
struct Activations {
  int tokens = 0, columns = 0, tile = 0;
  unsigned needs = 0;
  int8_t* codes = nullptr;
  int8_t* fine = nullptr;
  float* scale = nullptr;
  int32_t* minus[kNumOffsetSlots] = {};
  float* sums[2] = {};
  float* floats = nullptr;
};

}  // namespace qingyu
