// Everything that is not a matrix product, over the vector primitives of the including file.
// Reductions run in 16 lanes; f_sum adds them in one fixed tree (i with i + 8, then + 4, + 2, + 1).

// exp(x) with a relative error below 2e-7; exactly 0 below -87 (so for -infinity too).
inline F f_exp(F x) {
  const F high = f_min(f_max(x, f_set(-87.0f)), f_set(88.0f));
  const I n = i_round(f_mul(high, f_set(1.44269504f)));
  F r = f_fma(f_from(n), f_set(-0.693359375f), high);
  r = f_fma(f_from(n), f_set(2.12194440e-4f), r);
  F p = f_set(1.0f / 5040);  // Taylor to degree 7 on |r| <= ln(2) / 2
  p = f_fma(p, r, f_set(1.0f / 720));
  p = f_fma(p, r, f_set(1.0f / 120));
  p = f_fma(p, r, f_set(1.0f / 24));
  p = f_fma(p, r, f_set(1.0f / 6));
  p = f_fma(p, r, f_set(0.5f));
  p = f_fma(p, r, f_set(1.0f));
  p = f_fma(p, r, f_set(1.0f));
  return f_zero_below(f_mul(p, f_power_of_two(n)), x, -87.0f);
}

void rms_norm(const float* x, const float* weight, int n, float epsilon, float* out) {
  F squares = f_zero();
  for (int i = 0; i < n; i += kLanes) {
    const F v = f_load(x + i);
    squares = f_fma(v, v, squares);
  }
  const float scale = 1.0f / std::sqrt(f_sum(squares) / static_cast<float>(n) + epsilon);
  for (int i = 0; i < n; i += kLanes)
    f_store(out + i, f_mul(f_mul(f_load(x + i), f_set(scale)), f_load(weight + i)));
}

void silu_multiply(float* gate, const float* up, int n) {
  for (int i = 0; i < n; i += kLanes) {
    const F g = f_load(gate + i);
    const F sigmoid = f_div(f_set(1.0f), f_add(f_set(1.0f), f_exp(f_sub(f_zero(), g))));
    f_store(gate + i, f_mul(f_mul(g, sigmoid), f_load(up + i)));
  }
}

void add(float* x, const float* y, int n, float scale) {
  for (int i = 0; i < n; i += kLanes)
    f_store(x + i, f_fma(f_load(y + i), f_set(scale), f_load(x + i)));
}

void rope(float* x, const float* cosine, const float* sine, int n, bool halves) {
  const int near = halves ? 1 : 2, far = halves ? n : 1;
  for (int i = 0; i < n; i++) {
    float* a = x + i * near;
    const float u = a[0], v = a[far];
    a[0] = u * cosine[i] - v * sine[i];
    a[far] = u * sine[i] + v * cosine[i];
  }
}

void to_half(const float* x, uint16_t* out, int n) {
  for (int i = 0; i < n; i += kLanes) f_store_half(out + i, f_load(x + i));
}

// ---- activations

// Where block b of token t lies among the blocks of all tokens.
inline size_t block_at(const Activations& a, int t, int b) {
  const int tile_start = t / a.tile * a.tile;
  const int width = a.tokens - tile_start < a.tile ? a.tokens - tile_start : a.tile;
  return static_cast<size_t>(tile_start) * static_cast<size_t>(a.columns / kBlock) +
         static_cast<size_t>(b * width + t - tile_start);
}

void prepare(const float* x, size_t stride, int first, int last, Activations& out) {
  const int blocks = out.columns / kBlock;
  const float steps = out.fine ? 127 * 256 + 127 : 127;
  for (int t = first; t < last; t++) {
    const int tile_start = t / out.tile * out.tile;
    const int width = out.tokens - tile_start < out.tile ? out.tokens - tile_start : out.tile;
    const int in_tile = t - tile_start;
    const float* row = x + stride * static_cast<size_t>(t);
    if (out.needs & kNeedFloats) {
      float* to = out.floats + static_cast<size_t>(tile_start) * static_cast<size_t>(out.columns) + in_tile;
      for (int k = 0; k < out.columns; k++) to[static_cast<size_t>(k) * width] = row[k];
    }
    if (!(out.needs & ~kNeedFloats)) continue;
    for (int b = 0; b < blocks; b++) {
      const size_t at = block_at(out, t, b);
      const F v0 = f_load(row + b * kBlock), v1 = f_load(row + b * kBlock + 16);
      const float largest = f_highest(f_max(f_abs(v0), f_abs(v1)));
      const float scale = largest / steps;
      const F inverse = f_set(largest > 0 ? steps / largest : 0.0f);
      const I q0 = i_round(f_mul(v0, inverse)), q1 = i_round(f_mul(v1, inverse));
      if (out.fine) {
        i_store_bytes(out.codes + at * kBlock, i_high_byte(q0));
        i_store_bytes(out.codes + at * kBlock + 16, i_high_byte(q1));
        i_store_bytes(out.fine + at * kBlock, q0);
        i_store_bytes(out.fine + at * kBlock + 16, q1);
      } else {
        i_store_bytes(out.codes + at * kBlock, q0);
        i_store_bytes(out.codes + at * kBlock + 16, q1);
      }
      const int32_t total = i_sum(i_add(q0, q1));
      int32_t sum[2] = {total, 0};
      if (out.needs & kNeedHalves) {
        sum[0] = i_sum(q0);
        sum[1] = total - sum[0];
      }
      out.scale[at] = scale;
      for (int slot = 0; slot < kNumOffsetSlots; slot++) {
        if (!(out.needs & 1u << slot)) continue;
        if (kSlotSubBlocks[slot] == 1) {
          out.minus[slot][at] = -kSlotOffset[slot] * total;
        } else {
          out.minus[slot][2 * at] = -kSlotOffset[slot] * sum[0];
          out.minus[slot][2 * at + 1] = -kSlotOffset[slot] * sum[1];
        }
      }
      if (out.needs & kNeedSums1) out.sums[0][at] = scale * static_cast<float>(total);
      if (out.needs & kNeedSums2) {
        out.sums[1][2 * at] = scale * static_cast<float>(sum[0]);
        out.sums[1][2 * at + 1] = scale * static_cast<float>(sum[1]);
      }
    }
  }
}

// ---- attention: softmax over pages of 32 keys, rescaled from page to page. Per row:
//     m' = max(m, scores);  p = exp(scores - m');  c = exp(m - m')
//     total = total * c + p  (32 lanes folded to 16);  out = out * c, then fma(value, p) per key

template <int R>
void attention_page(const AttentionTile& a, int page, F total[R], float* maximum, float* accumulator,
                    float* probability) {
  const uint16_t* keys = reinterpret_cast<const uint16_t*>(a.pages[page] + a.key_offset);
  const uint16_t* values = reinterpret_cast<const uint16_t*>(a.pages[page] + a.value_offset);
  const int start = page * kPageTokens;
  F low[R], high[R];
  UNROLL for (int r = 0; r < R; r++) low[r] = high[r] = f_zero();
  for (int d = 0; d < a.head_size; d++) {
    const F k0 = f_half(keys + d * kPageTokens), k1 = f_half(keys + d * kPageTokens + 16);
    UNROLL for (int r = 0; r < R; r++) {
      const F q = f_set(a.queries[r][d]);
      low[r] = f_fma(k0, q, low[r]);
      high[r] = f_fma(k1, q, high[r]);
    }
  }
  int used = 0;
  const F factor = f_set(a.scale);
  alignas(64) float before[kLanes] = {}, correction[kLanes] = {};  // by row
  UNROLL for (int r = 0; r < R; r++) {
    low[r] = f_mul(low[r], factor);
    high[r] = f_mul(high[r], factor);
    const int visible = a.positions[r] - start + 1;  // keys [hidden, visible) are seen
    const int hidden = a.window > 0 ? visible - a.window : 0;
    if (visible < kPageTokens || hidden > 0) {
      float* p = probability + r * kPageTokens;
      f_store(p, low[r]);
      f_store(p + 16, high[r]);
      for (int i = visible < 0 ? 0 : visible; i < kPageTokens; i++) p[i] = -INFINITY;
      for (int i = 0; i < hidden && i < kPageTokens; i++) p[i] = -INFINITY;
      low[r] = f_load(p);
      high[r] = f_load(p + 16);
    }
    if (visible > used) used = visible;
    const float top = f_highest(f_max(low[r], high[r]));
    before[r] = maximum[r];
    maximum[r] = top > maximum[r] ? top : maximum[r];
  }
  f_store(correction, f_exp(f_sub(f_load(before), f_load(maximum))));
  UNROLL for (int r = 0; r < R; r++) {
    const F m = f_set(maximum[r]), p0 = f_exp(f_sub(low[r], m)), p1 = f_exp(f_sub(high[r], m));
    f_store(probability + r * kPageTokens, p0);
    f_store(probability + r * kPageTokens + 16, p1);
    total[r] = f_fma(total[r], f_set(correction[r]), f_add(p0, p1));
  }
  if (used > kPageTokens) used = kPageTokens;
  int d = 0;
  for (; d + 32 <= a.head_size; d += 32) {
    F out0[R], out1[R];
    UNROLL for (int r = 0; r < R; r++) {
      const F c = f_set(correction[r]);
      out0[r] = f_mul(f_load(accumulator + r * a.head_size + d), c);
      out1[r] = f_mul(f_load(accumulator + r * a.head_size + d + 16), c);
    }
    for (int key = 0; key < used; key++) {
      const F v0 = f_half(values + key * a.head_size + d);
      const F v1 = f_half(values + key * a.head_size + d + 16);
      UNROLL for (int r = 0; r < R; r++) {
        const F p = f_set(probability[r * kPageTokens + key]);
        out0[r] = f_fma(v0, p, out0[r]);
        out1[r] = f_fma(v1, p, out1[r]);
      }
    }
    UNROLL for (int r = 0; r < R; r++) {
      f_store(accumulator + r * a.head_size + d, out0[r]);
      f_store(accumulator + r * a.head_size + d + 16, out1[r]);
    }
  }
  for (; d < a.head_size; d += 16) {
    F out[R];
    UNROLL for (int r = 0; r < R; r++)
      out[r] = f_mul(f_load(accumulator + r * a.head_size + d), f_set(correction[r]));
    for (int key = 0; key < used; key++) {
      const F v = f_half(values + key * a.head_size + d);
      UNROLL for (int r = 0; r < R; r++)
        out[r] = f_fma(v, f_set(probability[r * kPageTokens + key]), out[r]);
    }
    UNROLL for (int r = 0; r < R; r++) f_store(accumulator + r * a.head_size + d, out[r]);
  }
}

template <int R>
void attention_rows(const AttentionTile& a) {
  float* accumulator = a.scratch;
  float* probability = a.scratch + R * a.head_size;
  F total[R];
  alignas(64) float maximum[kLanes] = {};
  int first = a.positions[0], last = a.positions[0];
  for (int r = 0; r < R; r++) {
    total[r] = f_zero();
    maximum[r] = -1e30f;  // finite, so that a page with nothing visible keeps everything at zero
    if (a.positions[r] < first) first = a.positions[r];
    if (a.positions[r] > last) last = a.positions[r];
    for (int d = 0; d < a.head_size; d += kLanes) f_store(accumulator + r * a.head_size + d, f_zero());
  }
  const int start = a.window > 0 && first - a.window + 1 > 0 ? first - a.window + 1 : 0;
  for (int page = start / kPageTokens; page <= last / kPageTokens; page++)
    attention_page<R>(a, page, total, maximum, accumulator, probability);
  for (int r = 0; r < R; r++) {
    const F inverse = f_set(1.0f / f_sum(total[r]));
    for (int d = 0; d < a.head_size; d += kLanes)
      f_store(a.outputs[r] + d, f_mul(f_load(accumulator + r * a.head_size + d), inverse));
  }
}

void attention(const AttentionTile& a) {
  switch (a.rows) {
    case 1: return attention_rows<1>(a);
    case 2: return attention_rows<2>(a);
    case 3: return attention_rows<3>(a);
    case 4: return attention_rows<4>(a);
    case 5: return attention_rows<5>(a);
    case 6: return attention_rows<6>(a);
    case 7: return attention_rows<7>(a);
    case 8: return attention_rows<8>(a);
    case 9: return attention_rows<9>(a);
    case 10: return attention_rows<10>(a);
    case 11: return attention_rows<11>(a);
    case 12: return attention_rows<12>(a);
  }
}
