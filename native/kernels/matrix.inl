// Matrix times activations, over the vector primitives of the including file.
//
// The arithmetic of one row and one token is the same in every path below, in this order:
//     for each block of 32 columns
//         for each sub-block: sum = fma(float(integer dot product), row scale * token scale, sum)
//         for each sub-block: sum = fma(row minimum, token sum, sum)      (formats with minimum)
// so a token's result does not depend on how many others are computed beside it. With activations
// of 16 bits the dot product is that of their high bytes, times 256, plus that of their low bytes.

template <int LOW, int HIGH, bool BOOK>
inline void unpack_block(const uint8_t* low, const uint8_t* high, C w[8]) {
  if constexpr (LOW == 8) {
    UNROLL for (int q = 0; q < 8; q++) w[q] = c_load(low + 64 * q);
  } else if constexpr (LOW == 4) {
    UNROLL for (int j = 0; j < 4; j++) {
      const C v = c_load(low + 64 * j);
      w[2 * j] = c_bits<0, 15>(v);
      w[2 * j + 1] = c_bits<4, 15>(v);
    }
  } else {
    UNROLL for (int j = 0; j < 2; j++) {
      const C v = c_load(low + 64 * j);
      w[4 * j] = c_bits<0, 3>(v);
      w[4 * j + 1] = c_bits<2, 3>(v);
      w[4 * j + 2] = c_bits<4, 3>(v);
      w[4 * j + 3] = c_bits<6, 3>(v);
    }
  }
  if constexpr (HIGH == 1) {
    UNROLL for (int q = 0; q < 8; q++) w[q] = c_or_bits<1 << LOW>(w[q], high + 8 * q);
  } else if constexpr (HIGH == 2) {
    static_assert(LOW == 4);
    UNROLL for (int j = 0; j < 2; j++) {
      const C v = c_load(high + 64 * j);
      w[4 * j] = c_or(w[4 * j], c_bits<-4, 48>(v));
      w[4 * j + 1] = c_or(w[4 * j + 1], c_bits<-2, 48>(v));
      w[4 * j + 2] = c_or(w[4 * j + 2], c_bits<0, 48>(v));
      w[4 * j + 3] = c_or(w[4 * j + 3], c_bits<2, 48>(v));
    }
  }
  if constexpr (BOOK) {
    UNROLL for (int q = 0; q < 8; q++) w[q] = c_table(w[q], kCodebook);
  }
}

// A block's scales as floats; every product here is exact (11 + 8 bits at most).
template <Scales S>
struct BlockScales {
  F scale[2], minimum[2];
  F d = f_zero(), d_minimum = f_zero();
  inline void load(const uint8_t* scales, const uint8_t* super, int b) {
    const uint8_t* s = scales + static_cast<size_t>(b) * scale_bytes(S);
    if constexpr (super_bytes(S) > 0) {
      if (b % 8 == 0) {
        const uint8_t* p = super + static_cast<size_t>(b / 8) * super_bytes(S);
        d = f_half(p);
        if constexpr (has_minimum(S)) d_minimum = f_sub(f_zero(), f_half(p + 32));
      }
    }
    if constexpr (S == Scales::Half) {
      scale[0] = f_half(s);
    } else if constexpr (S == Scales::HalfMin) {
      scale[0] = f_half(s);
      minimum[0] = f_half(s + 32);
    } else if constexpr (S == Scales::Byte) {
      scale[0] = f_mul(d, f_bytes<0, 255>(s));
      minimum[0] = f_mul(d_minimum, f_bytes<0, 255>(s + 16));
    } else if constexpr (S == Scales::Byte16) {
      scale[0] = f_mul(d, f_signed_bytes(s));
      scale[1] = f_mul(d, f_signed_bytes(s + 16));
    } else if constexpr (S == Scales::Nibble16) {
      UNROLL for (int i = 0; i < 2; i++) {
        scale[i] = f_mul(d, f_bytes<0, 15>(s + 16 * i));
        minimum[i] = f_mul(d_minimum, f_bytes<4, 15>(s + 16 * i));
      }
    }
  }
};

// One token, one panel, straight from the packed planes.
template <int LOW, int HIGH, bool BOOK, Scales S, int SLOT, bool FINE>
void vector_panel(const uint8_t* panel, const PanelLayout& at, const Activations& x, int blocks,
                  float* y) {
  constexpr int subs = sub_blocks(S);
  constexpr bool minimum = has_minimum(S), wide = LOW == 8 || BOOK;
  const uint8_t* low = panel + at.low;
  const uint8_t* high = panel + at.high;
  const int32_t* minus = minimum ? nullptr : x.minus[SLOT < 0 ? 0 : SLOT];
  const float* sums = x.sums[subs - 1];
  BlockScales<S> scales;
  F sum = f_zero();
  for (int b = 0; b < blocks; b++) {
    constexpr int ahead = LOW * 64 * (LOW == 8 ? 4 : 8);
    UNROLL for (int i = 0; i < LOW; i++) prefetch(low + ahead + 64 * i);
    C w[8];
    unpack_block<LOW, HIGH, BOOK>(low, high, w);
    scales.load(panel + at.scales, panel + at.super, b);
    const int8_t* codes = x.codes + static_cast<size_t>(b) * kBlock;
    const F token_scale = f_set(x.scale[b]);
    UNROLL for (int s = 0; s < subs; s++) {
      constexpr int quads = 8 / subs;
      I even = minimum || FINE ? i_zero() : i_set(minus[b * subs + s]), odd = i_zero();
      UNROLL for (int q = 0; q < quads; q += 2) {
        even = i_dot<wide>(even, w[s * quads + q], codes + 4 * (s * quads + q));
        odd = i_dot<wide>(odd, w[s * quads + q + 1], codes + 4 * (s * quads + q + 1));
      }
      if constexpr (FINE) {
        const int8_t* fine = x.fine + static_cast<size_t>(b) * kBlock;
        even = i_times_256(even);
        odd = i_times_256(odd);
        UNROLL for (int q = 0; q < quads; q += 2) {
          even = i_dot<wide>(even, w[s * quads + q], fine + 4 * (s * quads + q));
          odd = i_dot<wide>(odd, w[s * quads + q + 1], fine + 4 * (s * quads + q + 1));
        }
        if constexpr (!minimum) even = i_add(even, i_set(minus[b * subs + s]));
      }
      sum = f_fma(f_from(i_add(even, odd)), f_mul(scales.scale[s], token_scale), sum);
    }
    if constexpr (minimum) {
      UNROLL for (int s = 0; s < subs; s++)
        sum = f_fma(scales.minimum[s], f_set(sums[b * subs + s]), sum);
    }
    low += LOW * 64;
    high += HIGH * 64;
  }
  f_store(y, sum);
}

// A run of blocks of a panel unpacked: codes [block][8][64], then scales and minima as floats.
struct Unpacked {
  uint8_t* codes;
  float* scale;
  float* minimum;
};

template <int LOW, int HIGH, bool BOOK, Scales S>
void unpack_panel(const uint8_t* panel, const PanelLayout& at, int first, int last, Unpacked out) {
  constexpr int subs = sub_blocks(S);
  BlockScales<S> scales;
  for (int b = first; b < last; b++) {
    C w[8];
    unpack_block<LOW, HIGH, BOOK>(panel + at.low + static_cast<size_t>(b) * LOW * 64,
                                  panel + at.high + static_cast<size_t>(b) * HIGH * 64, w);
    UNROLL for (int q = 0; q < 8; q++) c_store(out.codes + 64 * q, w[q]);
    scales.load(panel + at.scales, panel + at.super, b);
    UNROLL for (int s = 0; s < subs; s++) {
      f_store(out.scale + 16 * s, scales.scale[s]);
      if constexpr (has_minimum(S)) f_store(out.minimum + 16 * s, scales.minimum[s]);
    }
    out.codes += 512;
    out.scale += 16 * subs;
    out.minimum += 16 * subs;
  }
}

// NT tokens times `blocks` unpacked blocks. x, scale, ... point at the tile's first block.
template <int NT, int SUBS, bool MINIMUM, bool WIDE, bool FINE>
void quantized_tile(const Unpacked& from, int blocks, const int8_t* codes, const int8_t* fine,
                    const float* scale, const int32_t* minus, const float* sums, float* y,
                    size_t stride, bool first) {
  Unpacked w = from;
  F sum[NT];
  UNROLL for (int t = 0; t < NT; t++) sum[t] = first ? f_zero() : f_load(y + stride * t);
  for (int b = 0; b < blocks; b++) {
    UNROLL for (int s = 0; s < SUBS; s++) {
      constexpr int quads = 8 / SUBS;
      // All tokens take a quad before the next: a sum that is added to again at once would wait
      // for the instruction before it.
      I dot[NT];
      UNROLL for (int t = 0; t < NT; t++)
        dot[t] = MINIMUM || FINE ? i_zero() : i_set(minus[t * SUBS + s]);
      UNROLL for (int q = s * quads; q < (s + 1) * quads; q++) {
        const C v = c_load(w.codes + 64 * q);
        UNROLL for (int t = 0; t < NT; t++) dot[t] = i_dot<WIDE>(dot[t], v, codes + t * kBlock + 4 * q);
      }
      if constexpr (FINE) {
        UNROLL for (int t = 0; t < NT; t++) {
          dot[t] = i_times_256(dot[t]);
          if constexpr (!MINIMUM) dot[t] = i_add(dot[t], i_set(minus[t * SUBS + s]));
        }
        UNROLL for (int q = s * quads; q < (s + 1) * quads; q++) {
          const C v = c_load(w.codes + 64 * q);
          UNROLL for (int t = 0; t < NT; t++) dot[t] = i_dot<WIDE>(dot[t], v, fine + t * kBlock + 4 * q);
        }
      }
      const F row_scale = f_load(w.scale + 16 * s);
      UNROLL for (int t = 0; t < NT; t++)
        sum[t] = f_fma(f_from(dot[t]), f_mul(row_scale, f_set(scale[t])), sum[t]);
    }
    if constexpr (MINIMUM) {
      UNROLL for (int s = 0; s < SUBS; s++) {
        const F row_minimum = f_load(w.minimum + 16 * s);
        UNROLL for (int t = 0; t < NT; t++)
          sum[t] = f_fma(row_minimum, f_set(sums[t * SUBS + s]), sum[t]);
      }
      w.minimum += 16 * SUBS;
      sums += NT * SUBS;
    } else {
      minus += NT * SUBS;
    }
    w.codes += 512;
    w.scale += 16 * SUBS;
    codes += NT * kBlock;
    if constexpr (FINE) fine += NT * kBlock;
    scale += NT;
  }
  UNROLL for (int t = 0; t < NT; t++) f_store(y + stride * t, sum[t]);
}

using QuantizedTile = void (*)(const Unpacked&, int, const int8_t*, const int8_t*, const float*,
                               const int32_t*, const float*, float*, size_t, bool);

template <int SUBS, bool MINIMUM, bool WIDE, bool FINE, int... NT>
inline QuantizedTile choose_tile(int tokens, std::integer_sequence<int, NT...>) {
  static constexpr QuantizedTile table[] = {quantized_tile<NT + 1, SUBS, MINIMUM, WIDE, FINE>...};
  return table[tokens - 1];
}

// Tokens whose codes fit half of a common second-level cache.
inline int tokens_per_chunk(int columns, int bytes) {
  const int tokens = (512 << 10) / (columns * bytes);
  return tokens < kTile ? kTile : tokens / kTile * kTile;
}

inline void copy_rows(const float* from, float* y, size_t stride, int tokens, int rows) {
  for (int t = 0; t < tokens; t++)
    for (int r = 0; r < rows; r++) y[stride * t + r] = from[kLanes * t + r];
}

template <int LOW, int HIGH, bool BOOK, Scales S, int SLOT, bool FINE>
void quantized_matmul(const Matrix& m, const Activations& x, int first, int last, float* y,
                      size_t stride, uint8_t* scratch) {
  constexpr int subs = sub_blocks(S);
  constexpr bool minimum = has_minimum(S), wide = kWideDiffers && (LOW == 8 || BOOK);
  const int blocks = x.columns / kBlock;
  const PanelLayout at(*m.format, static_cast<size_t>(x.columns));
  alignas(64) float partial[kTile * kLanes];
  if (x.tokens == 1) {
    for (int p = first; p < last; p++) {
      const int rows = m.rows - p * kLanes;
      float* out = rows < kLanes ? partial : y + p * kLanes;
      vector_panel<LOW, HIGH, BOOK, S, SLOT, FINE>(m.panel(p), at, x, blocks, out);
      if (rows < kLanes) copy_rows(partial, y + p * kLanes, stride, 1, rows);
    }
    return;
  }
  Unpacked w{scratch, reinterpret_cast<float*>(scratch + kScratchBlocks * 512), nullptr};
  w.minimum = w.scale + kScratchBlocks * 32;
  const int chunk = tokens_per_chunk(x.columns, FINE ? 2 : 1);
  for (int c = 0; c < x.tokens; c += chunk) {
    const int end = c + chunk < x.tokens ? c + chunk : x.tokens;
    for (int p = first; p < last; p++) {
      const int rows = m.rows - p * kLanes;
      for (int b = 0; b < blocks; b += kScratchBlocks) {
        const int run = blocks - b < kScratchBlocks ? blocks - b : kScratchBlocks;
        unpack_panel<LOW, HIGH, BOOK, S>(m.panel(p), at, b, b + run, w);
        for (int t = c; t < end; t += kTile) {
          const int tokens = end - t < kTile ? end - t : kTile;
          // everything of this tile before its block b
          const size_t blocks_before =
              static_cast<size_t>(t) * static_cast<size_t>(blocks) + static_cast<size_t>(b * tokens);
          const QuantizedTile tile = choose_tile<subs, minimum, wide, FINE>(
              tokens, std::make_integer_sequence<int, kTile>());
          float* out = y + stride * t + p * kLanes;
          size_t out_stride = stride;
          if (rows < kLanes) {  // the last panel of a matrix whose rows are no multiple of 16
            for (int i = 0; b > 0 && i < tokens; i++)
              for (int r = 0; r < rows; r++) partial[kLanes * i + r] = out[stride * i + r];
            out = partial;
            out_stride = kLanes;
          }
          tile(w, run, x.codes + blocks_before * kBlock,
               FINE ? x.fine + blocks_before * kBlock : nullptr, x.scale + blocks_before,
               minimum ? nullptr : x.minus[SLOT < 0 ? 0 : SLOT] + blocks_before * subs,
               minimum ? x.sums[subs - 1] + blocks_before * subs : nullptr, out, out_stride, b == 0);
          if (rows < kLanes)
            copy_rows(partial, y + stride * t + p * kLanes, stride, tokens, rows);
        }
      }
    }
  }
}

// ---- float matrices: sum = fma(weight, x, sum) over the columns

template <Type T>
inline F load_weights(const uint8_t* p) {
  if constexpr (T == Type::F32) return f_load(reinterpret_cast<const float*>(p));
  else if constexpr (T == Type::F16) return f_half(p);
  else return f_brain(p);
}

template <Type T, int NP, int NT>
void float_tile(const uint8_t* panel, size_t panel_bytes, int columns, const float* x, float* y,
                size_t stride) {
  constexpr int column_bytes = kLanes * (T == Type::F32 ? 4 : 2);
  F sum[NP][NT];
  UNROLL for (int p = 0; p < NP; p++) UNROLL for (int t = 0; t < NT; t++) sum[p][t] = f_zero();
  for (int k = 0; k < columns; k++) {
    UNROLL for (int p = 0; p < NP; p++) {
      const uint8_t* at = panel + panel_bytes * p;
      if constexpr (NT == 1) prefetch(at + 1024);
      const F w = load_weights<T>(at);
      UNROLL for (int t = 0; t < NT; t++) sum[p][t] = f_fma(w, f_set(x[t]), sum[p][t]);
    }
    panel += column_bytes;
    x += NT;
  }
  UNROLL for (int p = 0; p < NP; p++)
    UNROLL for (int t = 0; t < NT; t++) f_store(y + stride * t + p * kLanes, sum[p][t]);
}

using FloatTile = void (*)(const uint8_t*, size_t, int, const float*, float*, size_t);

template <Type T, int NP, int... NT>
inline FloatTile choose_float_tile(int tokens, std::integer_sequence<int, NT...>) {
  static constexpr FloatTile table[] = {float_tile<T, NP, NT + 1>...};
  return table[tokens - 1];
}

template <Type T>
void float_matmul(const Matrix& m, const Activations& x, int first, int last, float* y,
                  size_t stride, uint8_t*) {
  alignas(64) float partial[kTile * kLanes];
  constexpr std::make_integer_sequence<int, kTile> all;
  const int chunk = tokens_per_chunk(x.columns, 4);
  for (int c = 0; c < x.tokens; c += chunk) {
    const int end = c + chunk < x.tokens ? c + chunk : x.tokens;
    int p = first;
    while (p < last) {
      const int whole = last * kLanes <= m.rows ? last : last - 1;  // panels with all 16 rows
      int take = 1;
      if (p + 4 <= whole && end - c == 1) take = 4;
      else if (kFloatPanels > 1 && p + kFloatPanels <= whole) take = kFloatPanels;
      const int rows = m.rows - p * kLanes;
      for (int t = c; t < end; t += kTile) {
        const int tokens = end - t < kTile ? end - t : kTile;
        const float* in = x.floats + static_cast<size_t>(t) * static_cast<size_t>(x.columns);
        float* out = y + stride * t + p * kLanes;
        if (take == 4) {
          float_tile<T, 4, 1>(m.panel(p), m.panel_bytes, x.columns, in, out, stride);
        } else if (take > 1) {
          choose_float_tile<T, kFloatPanels>(tokens, all)(m.panel(p), m.panel_bytes, x.columns, in,
                                                          out, stride);
        } else if (rows >= kLanes) {
          choose_float_tile<T, 1>(tokens, all)(m.panel(p), m.panel_bytes, x.columns, in, out, stride);
        } else {
          choose_float_tile<T, 1>(tokens, all)(m.panel(p), m.panel_bytes, x.columns, in, partial,
                                               kLanes);
          copy_rows(partial, out, stride, tokens, rows);
        }
      }
      p += take;
    }
  }
}

void matmul(const Matrix& m, const Activations& x, int first, int last, float* y, size_t stride,
            uint8_t* scratch) {
  switch (m.format->type) {
#define FORMAT(f) f.low_bits, f.high_bits, f.codebook, f.scales, offset_slot(f)
#define QUANTIZED(TYPE)                                                                          \
  case Type::TYPE: {                                                                             \
    constexpr const Format& f = *find_format(Type::TYPE);                                        \
    return (x.fine ? quantized_matmul<FORMAT(f), true> : quantized_matmul<FORMAT(f), false>)(    \
        m, x, first, last, y, stride, scratch);                                                  \
  }
    QUANTIZED(Q4_0) QUANTIZED(Q4_1) QUANTIZED(Q5_0) QUANTIZED(Q5_1) QUANTIZED(Q8_0)
    QUANTIZED(Q2_K) QUANTIZED(Q3_K) QUANTIZED(Q4_K) QUANTIZED(Q5_K) QUANTIZED(Q6_K)
    QUANTIZED(IQ4_NL)
#undef QUANTIZED
#undef FORMAT
    case Type::F32: return float_matmul<Type::F32>(m, x, first, last, y, stride, scratch);
    case Type::F16: return float_matmul<Type::F16>(m, x, first, last, y, stride, scratch);
    case Type::BF16: return float_matmul<Type::BF16>(m, x, first, last, y, stride, scratch);
  }
}
