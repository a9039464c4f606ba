// Low-rank adapters, y += B (scale * (A x)), over the vector primitives of the including file.
//
// Both matrices are float16 or int8 in panels of 16 rows, [column][16], and all sums are float32. The
// arithmetic of one row and one token is the same in every path below:
//     A: four sums, column k goes to sum k % 4: sum = fma(weight, x, sum);
//        h = ((s0 + s1) + (s2 + s3)) * scale
//     B: y = fma(weight, h, y), over the ranks in order
// Four sums, because one would wait for itself at every column when there is only one token.

template <int BITS>
inline F adapter_values(const uint8_t* p) {
  if constexpr (BITS == 16) return f_half(p);
  else return f_signed_bytes(p);
}

template <int BITS, int NT>
void project_tile(const uint8_t* panel, int columns, const float* scale, const float* const* x, float* const* h) {
  constexpr int vector = kLanes * BITS / 8;
  F sum[NT][4];
  UNROLL for (int t = 0; t < NT; t++) UNROLL for (int c = 0; c < 4; c++) sum[t][c] = f_zero();
  for (int k = 0; k < columns; k += 4) {
    if constexpr (NT == 1) {
      prefetch(panel + 1024);
      if constexpr (BITS == 16) prefetch(panel + 1088);
    }
    UNROLL for (int c = 0; c < 4; c++) {
      const F w = adapter_values<BITS>(panel + vector * c);
      UNROLL for (int t = 0; t < NT; t++) sum[t][c] = f_fma(w, f_set(x[t][k + c]), sum[t][c]);
    }
    panel += 4 * vector;
  }
  const F factor = f_load(scale);
  UNROLL for (int t = 0; t < NT; t++)
    f_store(h[t], f_mul(f_add(f_add(sum[t][0], sum[t][1]), f_add(sum[t][2], sum[t][3])), factor));
}

using ProjectTile = void (*)(const uint8_t*, int, const float*, const float* const*, float* const*);

template <int BITS, int... NT>
inline ProjectTile choose_project_tile(int tokens, std::integer_sequence<int, NT...>) {
  static constexpr ProjectTile table[] = {project_tile<BITS, NT + 1>...};
  return table[tokens - 1];
}

void project(const AdapterInput& input, int first, int last, const float* const* x, float* const* h,
             int tokens) {
  constexpr std::make_integer_sequence<int, kProjectTile> all;
  for (int t = 0; t < tokens; t += kProjectTile) {
    const int n = tokens - t < kProjectTile ? tokens - t : kProjectTile;
    const ProjectTile tile = input.bits == 16 ? choose_project_tile<16>(n, all) : choose_project_tile<8>(n, all);
    float* to[kProjectTile];
    for (int p = first; p < last; p++) {
      for (int i = 0; i < n; i++) to[i] = h[t + i] + p * kLanes;
      tile(input.panel(p), input.columns, input.scale + p * kLanes, x + t, to);
    }
  }
}

// NP panels times NT tokens.
template <int BITS, int NP, int NT>
void adapt_tile(const uint8_t* b, int rank, const float* const* h, float* const* y, int row) {
  constexpr int vector = kLanes * BITS / 8;
  F sum[NP][NT];
  UNROLL for (int p = 0; p < NP; p++)
    UNROLL for (int t = 0; t < NT; t++) sum[p][t] = f_load(y[t] + row + p * kLanes);
  for (int k = 0; k < rank; k++) {
    if constexpr (NP == 4) {  // the panels after these, as many bytes at a time as are used
      prefetch(b + (4 * rank + 4 * k) * vector);
      if constexpr (BITS == 16) prefetch(b + (4 * rank + 4 * k + 2) * vector);
    }
    UNROLL for (int p = 0; p < NP; p++) {
      const F w = adapter_values<BITS>(b + (p * rank + k) * vector);
      UNROLL for (int t = 0; t < NT; t++) sum[p][t] = f_fma(w, f_set(h[t][k]), sum[p][t]);
    }
  }
  UNROLL for (int p = 0; p < NP; p++)
    UNROLL for (int t = 0; t < NT; t++) f_store(y[t] + row + p * kLanes, sum[p][t]);
}

using AdaptTile = void (*)(const uint8_t*, int, const float* const*, float* const*, int);

template <int BITS, int... NT>
inline AdaptTile choose_adapt_tile(int tokens, std::integer_sequence<int, NT...>) {
  static constexpr AdaptTile table[] = {adapt_tile<BITS, 1, NT + 1>...};
  return table[tokens - 1];
}

template <int BITS>
void adapt_panels(const AdapterOutput& output, int first, int last, const float* const* h, float* const* y,
                  int tokens) {
  const int rank = output.rank;
  for (int t = 0; t < tokens; t += kTile) {
    const int n = tokens - t < kTile ? tokens - t : kTile;
    int p = first;
    for (; n == 1 && p + 4 <= last; p += 4)
      adapt_tile<BITS, 4, 1>(output.panel(p), rank, h + t, y + t, p * kLanes);
    const AdaptTile tile = choose_adapt_tile<BITS>(n, std::make_integer_sequence<int, kTile>());
    for (; p < last; p++) tile(output.panel(p), rank, h + t, y + t, p * kLanes);
  }
}

void adapt(const AdapterOutput& output, int first, int last, const float* const* h, float* const* y, int tokens) {
  if (output.bits == 16) adapt_panels<16>(output, first, last, h, y, tokens);
  else adapt_panels<8>(output, first, last, h, y, tokens);
}

const Kernels kTable = {kName, kTile, matmul, prepare, attention, rms_norm, silu_multiply, add, rope, to_shorts, project, adapt};
