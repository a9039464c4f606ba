// Reading and multiplying as fast as the primitives of the including file allow.

void measure_read(const uint8_t* data, size_t bytes) {
  C a = c_load(data), b = a, c = a, d = a;
  for (size_t i = 0; i < bytes; i += 256) {
    a = c_or(a, c_load(data + i));
    b = c_or(b, c_load(data + i + 64));
    c = c_or(c, c_load(data + i + 128));
    d = c_or(d, c_load(data + i + 192));
  }
  uint8_t sink[64];
  c_store(sink, c_or(c_or(a, b), c_or(c, d)));
  asm volatile("" ::"r"(sink) : "memory");
}

double measure_dot(int repeats) {
  constexpr int kSums = 12;
  const int8_t x[4] = {1, -1, 1, -1};
  uint8_t codes[64];
  for (int i = 0; i < 64; i++) codes[i] = static_cast<uint8_t>(i);
  const C v = c_load(codes);
  I sum[kSums];
  UNROLL for (int i = 0; i < kSums; i++) sum[i] = i_zero();
  for (int r = 0; r < repeats; r++) {
    asm volatile("" ::"r"(x) : "memory");
    UNROLL for (int i = 0; i < kSums; i++) sum[i] = i_dot<false>(sum[i], v, x);
  }
  I total = i_zero();
  UNROLL for (int i = 0; i < kSums; i++) total = i_add(total, sum[i]);
  volatile int32_t sink = i_sum(total);
  (void)sink;
  return static_cast<double>(repeats) * kSums * 64 * 2;
}
