// Whole forward passes of small random models: the same bits for any cut of the work, and pages
// that are shared, refused and given back as promised.
#include <chrono>
#include <new>
#include <stdexcept>

#include "../core/pool.hpp"
#include "small_models.hpp"

using namespace qingyu;
using namespace qingyu::test;

CASE(any_cut_gives_the_same_bits) {
  for (const Family& family : kFamilies) {
    const std::vector<int> tokens = random_tokens(70, family.vocab);
    Context yard(build(family, "portable"), 4096, 1);
    const std::vector<float> expected = logits_of(yard, yard.pages.create(), tokens, 70);
    for (float v : expected) CHECK(std::isfinite(v));
    for (const std::string& isa : instruction_sets()) {
      const auto model = build(family, isa);
      for (int threads : {1, 3}) {
        Context context(model, 4096, threads);
        for (int cut : {1, 7, 33, 70})
          CHECK(same(logits_of(context, context.pages.create(), tokens, cut), expected), isa + " cut " + std::to_string(cut));
      }
    }
  }
}

CASE(batches_forks_and_saved_sequences) {
  const Family& family = kFamilies[1];
  const size_t vocab = static_cast<size_t>(family.vocab);
  Context context(build(family, ""), 4096, 2);
  const std::vector<int> tokens = random_tokens(90, family.vocab);
  const int a = context.pages.create();
  const std::vector<float> expected = logits_of(context, a, tokens, 90);
  for (int length : {0, 1, 31, 32, 33, 64, 89}) {
    const int b = context.pages.fork(a, length);
    const std::vector<int> rest(tokens.begin() + length, tokens.end());
    const std::vector<float> wanted(expected.begin() + length * static_cast<long>(vocab), expected.end());
    CHECK(same(logits_of(context, b, rest, 90), wanted), "fork " + std::to_string(length));
    context.pages.truncate(b, length);
    CHECK(same(logits_of(context, b, rest, 13), wanted), "truncated " + std::to_string(length));
    context.pages.drop(b);
  }
  const std::string saved = context.pages.save(a);
  const int c = context.pages.restore(reinterpret_cast<const uint8_t*>(saved.data()), saved.size());
  const std::vector<int> more = random_tokens(5, family.vocab);
  CHECK(same(logits_of(context, c, more, 5), logits_of(context, a, more, 1)));
  CHECK_THROWS(std::invalid_argument, context.pages.restore(reinterpret_cast<const uint8_t*>(saved.data()), saved.size() - 1));
  CHECK_THROWS(std::invalid_argument, context.pages.restore(reinterpret_cast<const uint8_t*>(saved.data()), 3));
  // three sequences interleaved token by token, with outputs at some of them
  std::vector<int> mixed, owners, outputs;
  const int s[3] = {context.pages.create(), context.pages.create(), context.pages.create()};
  for (size_t i = 0; i < 20; i++)
    for (int j = 0; j < 3; j++) {
      mixed.push_back(tokens[i]);
      owners.push_back(s[j]);
      if (i == 19) outputs.push_back(static_cast<int>(mixed.size()) - 1);
    }
  std::vector<float> logits(3 * vocab);
  context.forward(mixed.data(), owners.data(), 60, outputs.data(), 3, logits.data());
  for (size_t j = 0; j < 3; j++)
    CHECK(std::memcmp(&logits[j * vocab], &expected[19 * vocab], vocab * 4) == 0, "mixed batch");
}

CASE(short_pages_change_nothing) {
  const Family& family = kFamilies[0];
  Context context(build(family, ""), 96, 1);
  CHECK(context.pages.total() == 3);
  const std::vector<int> tokens = random_tokens(97, family.vocab);
  const int a = context.pages.create();
  CHECK_THROWS(std::bad_alloc, logits_of(context, a, tokens, 97));
  CHECK(context.pages.free() == 3 && context.pages.length(a) == 0);
  logits_of(context, a, std::vector<int>(tokens.begin(), tokens.begin() + 40), 40);
  const int b = context.pages.fork(a, 32);
  CHECK(context.pages.free() == 1);
  const int c = context.pages.fork(a, 33);
  CHECK(context.pages.free() == 0);
  CHECK_THROWS(std::bad_alloc, context.pages.fork(a, 40));
  CHECK_THROWS(std::bad_alloc, logits_of(context, b, {1}, 1));
  CHECK(context.pages.length(b) == 32);
  context.pages.drop(c);
  logits_of(context, b, {1}, 1);
  context.pages.drop(a);
  context.pages.drop(b);
  CHECK(context.pages.free() == 3);
  CHECK_THROWS(std::invalid_argument, context.pages.drop(a));
  const int d = context.pages.create();
  CHECK_THROWS(std::invalid_argument, logits_of(context, d, {family.vocab}, 1));
  CHECK_THROWS(std::invalid_argument, logits_of(context, d, {-1}, 1));
  CHECK_THROWS(std::invalid_argument, context.pages.fork(d, 1));
  CHECK_THROWS(std::invalid_argument, context.pages.truncate(d, -1));
}

CASE(builder_refuses) {
  Config c;
  CHECK_THROWS(std::invalid_argument, ModelBuilder(c, "", 1));
  CHECK_THROWS(std::invalid_argument, choose_kernels("sse9"));
}

CASE(regions_of_changing_size) {
  std::vector<int> counts(8);
  for (int round = 0; round < 2000; round++) {
    const int size = 1 + round % 4;
    std::fill(counts.begin(), counts.end(), 0);
    run_parallel(size, [&](int member, Team& team) {
      counts[static_cast<size_t>(member)]++;
      team.barrier();
      CHECK(counts[static_cast<size_t>((member + 1) % team.size)] == 1);
      team.barrier();
    });
    for (int i = 0; i < 8; i++) CHECK(counts[static_cast<size_t>(i)] == (i < size ? 1 : 0));
  }
}

CASE(lost_time_is_reported) {
  // One member is late, as if another process had its core.
  const double lost = run_parallel(2, [](int member, Team& team) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    while (member == 1 && std::chrono::steady_clock::now() < end) {
    }
    team.barrier();
  });
  CHECK(lost > 1e-3);
  CHECK(run_parallel(1, [](int, Team& team) { team.barrier(); }) == 0);
}
