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
  int i = 0;
  if (halves) {
    for (; i + kLanes <= n; i += kLanes) {
      const F u = f_load(x + i), v = f_load(x + n + i), c = f_load(cosine + i), s = f_load(sine + i);
      f_store(x + i, f_sub(f_mul(u, c), f_mul(v, s)));
      f_store(x + n + i, f_add(f_mul(u, s), f_mul(v, c)));
    }
  } else {
    for (; i + kLanes / 2 <= n; i += kLanes / 2) {
      const F both = f_load(x + 2 * i);
      const F turned = f_mul(f_swap_pairs(both), f_negate_even(f_twice(sine + i)));
      f_store(x + 2 * i, f_add(f_mul(both, f_twice(cosine + i)), turned));
    }
  }
  const int near = halves ? 1 : 2, far = halves ? n : 1;
  for (; i < n; i++) {
    float* a = x + i * near;
    const float u = a[0], v = a[far];
    a[0] = u * cosine[i] - v * sine[i];
    a[far] = u * sine[i] + v * cosine[i];
  }
}

float to_shorts(const float* x, int16_t* out, int n, float steps) {
  F largest = f_zero();
  for (int i = 0; i < n; i += kLanes) largest = f_max(largest, f_abs(f_load(x + i)));
  const float scale = f_highest(largest) / steps;
  const F inverse = f_set(scale > kSmallest ? 1.0f / scale : 0.0f);
  for (int i = 0; i < n; i += kLanes) i_store_shorts(out + i, i_round(f_mul(f_load(x + i), inverse)));
  return scale;
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
      for (int slot = 0; (out.needs & kNeedOffsets) && slot < kNumOffsetSlots; slot++) {
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

// ---- attention: softmax over blocks of 64 keys, rescaled from block to block. Both products are of
// 16-bit integers, exact in any order. Per row and block, with scores in powers of two:
//     m' = max(m, scores);  p = 2^(scores - m');  c = 2^(m - m')
//     total = total * c + p  (64 lanes folded to 16)
//     w = round(p * value scale / step), where the largest is kWeightSteps
//     out = fma(step, sum of w * value, out * c)

// 2^x for x <= 0: exactly 1 at 0, exactly 0 below kFaintest. The polynomial (of degree 5, for
// |r| <= 1/2) has a relative error of 1e-7.
constexpr float kFaintest = -100;
inline F f_exp2(F x) {
  const F n = f_round(x), r = f_sub(x, n);
  F p = f_set(1.32647151e-3f);
  p = f_fma(p, r, f_set(9.67151278e-3f));
  p = f_fma(p, r, f_set(5.55073377e-2f));
  p = f_fma(p, r, f_set(2.40222421e-1f));
  p = f_fma(p, r, f_set(6.93146978e-1f));
  p = f_fma(p, r, f_set(1.0f));
  return f_zero_below(f_scale(p, n), x, kFaintest);
}

constexpr int kBlockPages = kAttentionKeys / kPageTokens;

// What a tile keeps from block to block, in its scratch memory.
struct AttentionState {
  float* sums;       // [R][head_size]
  float* scores;     // [R][kAttentionKeys]
  int16_t* queries;  // [head_size / kScoreColumns][R][kScoreColumns], in steps of `factors`
  int16_t* weights;  // [R][kAttentionKeys]
  alignas(64) float factors[kLanes] = {};  // by row: of whole scores to powers of two
  alignas(64) float maximum[kLanes] = {}, correction[kLanes] = {}, step[kLanes] = {};
};

// scores = keys of one page times queries
template <int R>
void attention_scores(const AttentionTile& a, const uint8_t* head, const AttentionState& state, float* scores) {
  const float* scales = reinterpret_cast<const float*>(head + HeadPage(a.head_size).key_scales);
  F low[R], high[R];
  UNROLL for (int r = 0; r < R; r++) low[r] = high[r] = f_zero();
  for (int first = 0; first < a.head_size; first += kScoreColumns) {
    const int last = first + kScoreColumns < a.head_size ? first + kScoreColumns : a.head_size;
    I sum0[R], sum1[R];
    UNROLL for (int r = 0; r < R; r++) sum0[r] = sum1[r] = i_zero();
    const int16_t* q = state.queries + first * R;
    const uint8_t* keys = head + first * kPageTokens * 2;
    for (int d = first; d < last; d += 2, q += 2, keys += 128) {
      const C k0 = c_load(keys), k1 = c_load(keys + 64);
      UNROLL for (int r = 0; r < R; r++) {
        const P pair = p_set(q + r * kScoreColumns);
        sum0[r] = i_dot_pairs(sum0[r], k0, pair);
        sum1[r] = i_dot_pairs(sum1[r], k1, pair);
      }
    }
    UNROLL for (int r = 0; r < R; r++) {
      low[r] = f_add(low[r], f_from(sum0[r]));
      high[r] = f_add(high[r], f_from(sum1[r]));
    }
  }
  const F k0 = f_load(scales), k1 = f_load(scales + 16);
  UNROLL for (int r = 0; r < R; r++) {
    const F factor = f_set(state.factors[r]);
    f_store(scores + r * kAttentionKeys, f_mul(f_mul(low[r], k0), factor));
    f_store(scores + r * kAttentionKeys + 16, f_mul(f_mul(high[r], k1), factor));
  }
}

// sums = sums * correction + values of the block times weights, for N x 16 columns from d on
template <int R, int N>
void attention_values(const AttentionTile& a, const uint8_t* const* heads, int used, const AttentionState& state, int d) {
  const size_t start = HeadPage(a.head_size).values + static_cast<size_t>(d) * 4;
  const size_t stride = static_cast<size_t>(a.head_size) * 4;
  I sum[N][R];
  UNROLL for (int i = 0; i < N; i++) UNROLL for (int r = 0; r < R; r++) sum[i][r] = i_zero();
  const int16_t* w = state.weights;
  for (int page = 0; page * kPageTokens < used; page++) {
    const int here = used - page * kPageTokens;
    const int pairs = (here < kPageTokens ? here + 1 : kPageTokens) / 2;
    const uint8_t* values = heads[page] + start;
    for (int pair = 0; pair < pairs; pair++, w += 2, values += stride) {
      C column[N];
      UNROLL for (int i = 0; i < N; i++) column[i] = c_load(values + 64 * i);
      UNROLL for (int r = 0; r < R; r++) {
        const P weight = p_set(w + r * kAttentionKeys);
        UNROLL for (int i = 0; i < N; i++) sum[i][r] = i_dot_pairs(sum[i][r], column[i], weight);
      }
    }
  }
  UNROLL for (int r = 0; r < R; r++) {
    float* out = state.sums + r * a.head_size + d;
    const F c = f_set(state.correction[r]), step = f_set(state.step[r]);
    UNROLL for (int i = 0; i < N; i++)
      f_store(out + 16 * i, f_fma(f_from(sum[i][r]), step, f_mul(f_load(out + 16 * i), c)));
  }
}

// One block of keys, from `start` on, of which no row sees those after `last`.
template <int R>
void attention_block(const AttentionTile& a, int start, int last, F total[R], AttentionState& state) {
  const uint8_t* heads[kBlockPages];
  F scales[kBlockPages][2];  // of the values
  const int keys = last - start + 1 < kAttentionKeys ? last - start + 1 : kAttentionKeys;
  const int pages = (keys + kPageTokens - 1) / kPageTokens;
  for (int page = 0; page < pages; page++) {
    heads[page] = a.pages[start / kPageTokens + page] + a.offset;
    attention_scores<R>(a, heads[page], state, state.scores + page * kPageTokens);
    const float* values = reinterpret_cast<const float*>(heads[page] + HeadPage(a.head_size).value_scales);
    scales[page][0] = f_load(values);
    scales[page][1] = f_load(values + 16);
  }
  alignas(64) float before[kLanes] = {};
  int used = 0;
  for (int r = 0; r < R; r++) {
    float* scores = state.scores + r * kAttentionKeys;
    const int visible = a.positions[r] - start + 1;  // keys [hidden, visible) are seen
    const int hidden = a.window > 0 ? visible - a.window : 0;
    for (int i = visible < 0 ? 0 : visible; i < pages * kPageTokens; i++) scores[i] = -INFINITY;
    for (int i = 0; i < hidden && i < pages * kPageTokens; i++) scores[i] = -INFINITY;
    if (visible > used) used = visible;
    F top = f_max(f_load(scores), f_load(scores + 16));
    for (int page = 1; page < pages; page++)
      top = f_max(top, f_max(f_load(scores + page * kPageTokens), f_load(scores + page * kPageTokens + 16)));
    const float highest = f_highest(top);
    before[r] = state.maximum[r];
    state.maximum[r] = highest > before[r] ? highest : before[r];
  }
  f_store(state.correction, f_exp2(f_sub(f_load(before), f_load(state.maximum))));
  for (int r = 0; r < R; r++) {
    float* scores = state.scores + r * kAttentionKeys;
    const F m = f_set(state.maximum[r]);
    F sum = f_zero(), top = f_zero();
    for (int page = 0; page < pages; page++) {
      float* part = scores + page * kPageTokens;
      const F x0 = f_sub(f_load(part), m), x1 = f_sub(f_load(part + 16), m);
      const F p0 = f_exp2(x0), p1 = f_exp2(x1);
      sum = f_add(sum, f_add(p0, p1));
      // What is not seen weighs nothing, whatever lies in its place.
      const F w0 = f_zero_below(f_mul(p0, scales[page][0]), x0, kFaintest);
      const F w1 = f_zero_below(f_mul(p1, scales[page][1]), x1, kFaintest);
      f_store(part, w0);
      f_store(part + 16, w1);
      top = f_max(top, f_max(w0, w1));
    }
    total[r] = f_fma(total[r], f_set(state.correction[r]), sum);
    state.step[r] = f_highest(top);
  }
  alignas(64) float inverse[kLanes];
  const F largest = f_max(f_load(state.step), f_set(kSmallest));
  f_store(inverse, f_div(f_set(kWeightSteps), largest));
  f_store(state.step, f_mul(largest, f_set(1.0f / kWeightSteps)));
  for (int r = 0; r < R; r++)
    for (int i = 0; i < pages * kPageTokens; i += kLanes)
      i_store_shorts(state.weights + r * kAttentionKeys + i,
                     i_round(f_mul(f_load(state.scores + r * kAttentionKeys + i), f_set(inverse[r]))));
  if (used > keys) used = keys;
  int d = 0;
  for (; d + 32 <= a.head_size; d += 32) attention_values<R, 2>(a, heads, used, state, d);
  for (; d < a.head_size; d += 16) attention_values<R, 1>(a, heads, used, state, d);
}

template <int R>
void attention_rows(const AttentionTile& a) {
  AttentionState state;
  const int padded = (a.head_size + kScoreColumns - 1) / kScoreColumns * kScoreColumns;
  state.sums = a.scratch;
  state.scores = state.sums + R * a.head_size;
  state.queries = reinterpret_cast<int16_t*>(state.scores + R * kAttentionKeys);
  state.weights = state.queries + R * padded;
  int16_t* row = state.weights + R * kAttentionKeys;  // [head_size]
  F total[R];
  int first = a.positions[0], last = a.positions[0];
  for (int r = 0; r < R; r++) {
    total[r] = f_zero();
    const float scale = to_shorts(a.queries[r], row, a.head_size, kQuerySteps);
    for (int d = 0; d < a.head_size; d += kScoreColumns) {
      const int n = a.head_size - d < kScoreColumns ? a.head_size - d : kScoreColumns;
      __builtin_memcpy(state.queries + d * R + r * kScoreColumns, row + d, static_cast<size_t>(n) * 2);
    }
    state.factors[r] = scale * (a.scale * 1.44269504f);
    state.maximum[r] = -1e30f;  // finite, so that a block with nothing visible keeps everything at zero
    if (a.positions[r] < first) first = a.positions[r];
    if (a.positions[r] > last) last = a.positions[r];
    for (int d = 0; d < a.head_size; d += kLanes) f_store(state.sums + r * a.head_size + d, f_zero());
  }
  int start = a.window > 0 && first - a.window + 1 > 0 ? first - a.window + 1 : 0;
  for (start -= start % kAttentionKeys; start <= last; start += kAttentionKeys)
    attention_block<R>(a, start, last, total, state);
  for (int r = 0; r < R; r++) {
    const F inverse = f_set(1.0f / f_sum(total[r]));
    for (int d = 0; d < a.head_size; d += kLanes)
      f_store(a.outputs[r] + d, f_mul(f_load(state.sums + r * a.head_size + d), inverse));
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
