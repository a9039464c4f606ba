#include "context.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <new>
#include <stdexcept>

#include "pool.hpp"
#include "quantized.hpp"

namespace qingyu {
namespace {

constexpr int kMicroBatch = 512;  // tokens computed at once; longer calls are cut, with equal results

constexpr int kBriefPass = 8;     // tokens of a pass whose time is mostly reading weights

// Cuts one mapping into aligned pieces. First with null memory to measure, then for real.
struct Cutter {
  uint8_t* base;
  size_t at = 0;
  template <class T>
  T* take(size_t count) {
    T* p = base ? reinterpret_cast<T*>(base + at) : nullptr;
    at += (count * sizeof(T) + 63) / 64 * 64;
    return p;
  }
};

void cut_activations(Cutter& cut, size_t tokens, size_t columns, bool fine, Activations& a) {
  const size_t blocks = tokens * (columns / kBlock + 1);
  a.codes = cut.take<int8_t>(blocks * kBlock);
  a.fine = fine ? cut.take<int8_t>(blocks * kBlock) : nullptr;
  a.scale = cut.take<float>(blocks);
  for (int slot = 0; slot < kNumOffsetSlots; slot++)
    a.minus[slot] = cut.take<int32_t>(blocks * static_cast<size_t>(kSlotSubBlocks[slot]));
  a.sums[0] = cut.take<float>(blocks);
  a.sums[1] = cut.take<float>(blocks * 2);
  a.floats = cut.take<float>(tokens * columns);
}

}  // namespace

Context::Context(std::shared_ptr<const Model> model, int max_tokens, int threads, int activation_bits)
    : pages(*model, max_tokens), model_(std::move(model)), threads_(threads), fine_(activation_bits == 16) {
  if (activation_bits != 8 && activation_bits != 16)
    throw std::invalid_argument("activation_bits is " + std::to_string(activation_bits) + ", not 8 or 16");
  if (threads < 1 || threads > 1024)
    throw std::invalid_argument("threads is " + std::to_string(threads) + ", not in 1..1024");
  const Config& c = model_->config;
  widest_ = std::max({c.embedding_size, c.feed_forward_size, c.num_heads * c.head_size});
  members_.resize(static_cast<size_t>(threads));
  for (Member& m : members_) {
    for (int pass = 0; pass < 2; pass++) {
      Cutter cut{pass ? m.memory.data() : nullptr};
      m.matrix_scratch = cut.take<uint8_t>(kMatrixScratchBytes);
      m.attention_scratch = cut.take<float>(attention_scratch(c.head_size));
      m.x = cut.take<float>(static_cast<size_t>(c.embedding_size));
      m.normed = cut.take<float>(static_cast<size_t>(c.embedding_size) * kAdapterRows);
      m.cosine = cut.take<float>(static_cast<size_t>(c.rope_size / 2));
      m.sine = cut.take<float>(static_cast<size_t>(c.rope_size / 2));
      m.shorts = cut.take<int16_t>(static_cast<size_t>(c.head_size));
      cut_activations(cut, 1, static_cast<size_t>(widest_), fine_, m.activations);
      if (!pass) m.memory = Mapping(cut.at, false);
    }
  }
}

void Context::make_room(int tokens) {
  if (tokens <= room_) return;
  const Config& c = model_->config;
  const size_t n = static_cast<size_t>(tokens);
  Mapping memory;
  for (int pass = 0; pass < 2; pass++) {
    Cutter cut{pass ? memory.data() : nullptr};
    x_ = cut.take<float>(n * stride_of(c.embedding_size));
    out_ = cut.take<float>(n * stride_of(c.embedding_size));
    // Attention and feed-forward take turns, so they share their room.
    const size_t shared = cut.at;
    q_ = cut.take<float>(n * stride_of(c.num_heads * c.head_size));
    attended_ = cut.take<float>(n * stride_of(c.num_heads * c.head_size));
    k_ = cut.take<float>(n * stride_of(c.num_kv_heads * c.head_size));
    v_ = cut.take<float>(n * stride_of(c.num_kv_heads * c.head_size));
    const size_t attention_end = cut.at;
    cut.at = shared;
    gate_ = cut.take<float>(n * stride_of(c.feed_forward_size));
    up_ = cut.take<float>(n * stride_of(c.feed_forward_size));
    cut.at = std::max(cut.at, attention_end);
    cosine_ = cut.take<float>(n * static_cast<size_t>(c.rope_size / 2));
    sine_ = cut.take<float>(n * static_cast<size_t>(c.rope_size / 2));
    cut_activations(cut, n, static_cast<size_t>(widest_), fine_, shared_);
    if (!pass) memory = Mapping(cut.at);
  }
  memory_ = std::move(memory);
  room_ = tokens;
}

void Context::forward(const int* tokens, const int* sequences, int count, const int* outputs,
                      int num_outputs, float* logits) {
  const Config& c = model_->config;
  std::map<int, int> counts;
  for (int i = 0; i < count; i++) {
    if (tokens[i] < 0 || tokens[i] >= c.vocab_size)
      throw std::invalid_argument("token " + std::to_string(tokens[i]) + " is not in 0.." + std::to_string(c.vocab_size - 1));
    counts[sequences[i]]++;
  }
  for (int i = 0; i < num_outputs; i++)
    if (outputs[i] < 0 || outputs[i] >= count || (i > 0 && outputs[i] <= outputs[i - 1]))
      throw std::invalid_argument("output " + std::to_string(outputs[i]) + " is not a rising index into the " +
                                  std::to_string(count) + " tokens");
  for (const auto& [id, more] : counts)
    if (static_cast<long long>(pages.length(id)) + more > static_cast<long long>(pages.total()) * kPageTokens)
      throw OutOfPages(more / kPageTokens + 1, pages.free());
  int widest = 0;
  for (const auto& [id, more] : counts)
    if (const Adapter* adapter = pages.get(id).adapter.get()) widest = std::max(widest, adapter->widest);
  make_room(std::min(count, kMicroBatch));
  if (widest) make_adapter_room(std::min(count, kMicroBatch), widest);
  pages.reserve(counts);
  std::vector<Row> rows(static_cast<size_t>(count));
  for (int i = 0; i < count; i++) {
    Sequence& s = pages.get(sequences[i]);
    rows[static_cast<size_t>(i)] = Row{tokens[i], s.length++, &s, s.adapter.get()};
  }
  int done_outputs = 0;
  std::vector<int> local;
  for (int start = 0; start < count; start += kMicroBatch) {
    const int n = std::min(kMicroBatch, count - start);
    local.clear();
    while (done_outputs < num_outputs && outputs[done_outputs] < start + n) local.push_back(outputs[done_outputs++] - start);
    const int done_before = done_outputs - static_cast<int>(local.size());
    run(Batch{rows.data() + start, n, local.data(), static_cast<int>(local.size()),
              logits + static_cast<size_t>(done_before) * static_cast<size_t>(c.vocab_size)});
  }
}

void Context::make_adapter_room(int tokens, int widest) {
  const size_t needed = static_cast<size_t>(std::max(tokens, 2)) * static_cast<size_t>(widest);
  if (sums_.size() < needed) sums_.resize(needed);
  for (Member& m : members_)
    if (m.sums.size() < static_cast<size_t>(widest)) m.sums.resize(static_cast<size_t>(widest));
  sums_width_ = widest;
}

// Of the given rows (null: the first `count`), those without an adapter first.
void Context::group_rows(const Batch& batch, const int* rows, int count, Grouping& out) {
  out.order.clear();
  out.groups.clear();
  for (int i = 0; i < count; i++) {
    const Adapter* adapter = batch.rows[rows ? rows[i] : i].adapter;
    if (adapter && std::none_of(out.groups.begin(), out.groups.end(), [&](const Group& g) { return g.adapter == adapter; }))
      out.groups.push_back(Group{adapter, 0, 0});
  }
  if (out.groups.empty()) return;
  auto take = [&](const Adapter* adapter) {
    for (int i = 0; i < count; i++)
      if (batch.rows[rows ? rows[i] : i].adapter == adapter) out.order.push_back(i);
    return static_cast<int>(out.order.size());
  };
  int first = take(nullptr);
  for (Group& g : out.groups) {
    g.first = first;
    g.last = first = take(g.adapter);
  }
}

// The queries of the given rows (null: the first `count`) in tiles, those of a key-value head
// together: what sequences share stays in the cache from one to the next.
void Context::cut_tiles(const Batch& batch, const int* rows, int count, std::vector<Tile>& out) {
  const int kv_heads = model_->config.num_kv_heads, group = model_->config.num_heads / kv_heads;
  const auto row = [&](int i) { return rows ? rows[i] : i; };
  for (int size = kMaxAttentionRows; size > 0; size /= 2) {  // cut finer until every member has a tile
    out.clear();
    for (int kv = 0; kv < kv_heads; kv++)
      for (int start = 0, end; start < count; start = end) {
        const auto follows = [&](int i) {
          return row(i) == row(i - 1) + 1 && batch.rows[row(i)].sequence == batch.rows[row(i - 1)].sequence;
        };
        for (end = start + 1; end < count && follows(end); end++) {}
        const int num_rows = (end - start) * group;
        for (int first = 0; first < num_rows; first += size)
          out.push_back(Tile{row(start), first, std::min(size, num_rows - first), kv});
      }
    if (static_cast<int>(out.size()) >= threads_) break;
  }
}

void Context::run(const Batch& batch) {
  const Row* rows = batch.rows;
  const int count = batch.count;
  size_t longest = 0;
  for (int i = 0; i < count; i++) longest = std::max(longest, rows[i].sequence->pages.size());
  cut_tiles(batch, nullptr, count, tiles_);
  cut_tiles(batch, batch.outputs, batch.num_outputs, output_tiles_);
  for (Member& m : members_)
    if (m.page_table.size() < longest) m.page_table.resize(longest + 64);
  group_rows(batch, nullptr, count, all_rows_);
  group_rows(batch, batch.outputs, batch.num_outputs, output_rows_);
  // A short pass has hundreds of barriers, and a member that another process keeps from its core
  // holds up every one: then one thread is faster than two. So after a pass that lost a third of
  // its time that way the next few run alone, more of them each time. The bits are the same.
  const bool brief = count <= kBriefPass;
  const int size = brief && alone_ > 0 ? 1 : threads_;
  const auto start = std::chrono::steady_clock::now();
  const double lost = run_parallel(size, [&](int member, Team& team) { run_member(batch, member, team); });
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!brief) return;
  if (alone_ > 0) {
    alone_--;
  } else if (lost > took / 3) {
    alone_ = patience_;
    patience_ = std::min(2 * patience_, kLongestRest);
  } else {
    patience_ = kFirstRest;
  }
}

}  // namespace qingyu
