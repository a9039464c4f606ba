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

// Floats from one token's row of `n` to the next: an odd number of cache lines, because powers of
// two would put the same columns of all tokens into the same few cache sets.
size_t stride_of(int n) { return static_cast<size_t>(n / kLanes | 1) * kLanes; }

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
      m.normed = cut.take<float>(static_cast<size_t>(c.embedding_size));
      m.cosine = cut.take<float>(static_cast<size_t>(c.rope_size / 2));
      m.sine = cut.take<float>(static_cast<size_t>(c.rope_size / 2));
      m.half = cut.take<uint16_t>(static_cast<size_t>(c.head_size));
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
  make_room(std::min(count, kMicroBatch));
  pages.reserve(counts);
  std::vector<Row> rows(static_cast<size_t>(count));
  for (int i = 0; i < count; i++) {
    Sequence& s = pages.get(sequences[i]);
    rows[static_cast<size_t>(i)] = Row{tokens[i], s.length++, &s};
  }
  int done_outputs = 0;
  std::vector<int> local;
  for (int start = 0; start < count; start += kMicroBatch) {
    const int n = std::min(kMicroBatch, count - start);
    local.clear();
    while (done_outputs < num_outputs && outputs[done_outputs] < start + n) local.push_back(outputs[done_outputs++] - start);
    run(rows.data() + start, n, local.data(), static_cast<int>(local.size()),
        logits + static_cast<size_t>(done_outputs - static_cast<int>(local.size())) * static_cast<size_t>(c.vocab_size));
  }
}

// One forward pass of a micro-batch, as one member of the team sees it. A single token is prepared
// by every member for itself, which saves a barrier; more are shared out by token.
struct Context::Pass {
  Context& context;
  const Row* rows;
  const int count;
  const int* outputs;
  const int num_outputs;
  float* const logits;
  const int member;
  Team& team;

  const Model& model = *context.model_;
  const Config& c = model.config;
  const Kernels& k = *model.kernels;
  Member& own = context.members_[static_cast<size_t>(member)];
  const bool single = count == 1;
  // Rows still worth computing: all, and at the end of the last layer only those asked for.
  int num_active = count;
  const int* active = nullptr;  // their indices; null: all in order
  const size_t width = stride_of(c.embedding_size);  // floats from token to token
  const size_t q_width = stride_of(c.num_heads * c.head_size);
  const size_t kv_width = stride_of(c.num_kv_heads * c.head_size);
  const size_t inner = stride_of(c.feed_forward_size);
  Share tokens = share_of(count);  // of the active rows
  Activations input = single ? own.activations : context.shared_;  // the same buffers for all

  Share share_of(int rows_to_share) const {
    return Share(rows_to_share, single ? 0 : member, single ? 1 : team.size);
  }
  int row(int i) const { return active ? active[i] : i; }
  float* x(int t) const { return single ? own.x : context.x_ + width * static_cast<size_t>(t); }

  void start_input(int num_tokens, int columns, unsigned needs) {
    input.tokens = num_tokens;
    input.columns = columns;
    input.tile = k.tile;
    input.needs = needs;
  }

  void set_input(int i, const float* from) {  // token i's row
    k.prepare(from, 0, i, i + 1, input);
  }

  void embed() {
    const int half = c.rope_size / 2;
    for (int t = tokens.first; t < tokens.last; t++) {
      dequantize_row(model.embedding, rows[t].token, x(t));
      if (c.embedding_scale != 1)
        for (int i = 0; i < c.embedding_size; i++) x(t)[i] *= c.embedding_scale;
      float* cosine = single ? own.cosine : context.cosine_ + static_cast<size_t>(t * half);
      float* sine = single ? own.sine : context.sine_ + static_cast<size_t>(t * half);
      for (int i = 0; i < half; i++) {
        const double angle = rows[t].position * c.rope_frequencies[static_cast<size_t>(i)];
        cosine[i] = static_cast<float>(std::cos(angle) * c.rope_scale);
        sine[i] = static_cast<float>(std::sin(angle) * c.rope_scale);
      }
    }
  }

  void add_output() {  // x += what the last matrix left in out_
    for (int i = tokens.first; i < tokens.last; i++)
      k.add(x(row(i)), context.out_ + width * static_cast<size_t>(i), c.embedding_size, c.residual_scale);
  }

  void norm_input(const Vector& weight, unsigned needs) {
    start_input(num_active, c.embedding_size, needs);
    for (int i = tokens.first; i < tokens.last; i++) {
      k.rms_norm(x(row(i)), weight.data, c.embedding_size, c.norm_epsilon, own.normed);
      set_input(i, own.normed);
    }
    if (!single) team.barrier();
  }

  void attended_input(unsigned needs) {
    start_input(num_active, c.num_heads * c.head_size, needs);
    for (int i = tokens.first; i < tokens.last; i++)
      set_input(i, context.attended_ + q_width * static_cast<size_t>(row(i)));
    if (!single) team.barrier();
  }

  void inner_input(unsigned needs) {
    start_input(num_active, c.feed_forward_size, needs);
    for (int i = tokens.first; i < tokens.last; i++) set_input(i, context.gate_ + inner * static_cast<size_t>(i));
    if (!single) team.barrier();
  }

  // The rows of panels [first, last), as Kernels::matmul.
  void multiply_panels(const Matrix& matrix, int first, int last, float* y, size_t stride) {
    k.matmul(matrix, input, first, last, y, stride, own.matrix_scratch);
  }

  // This member's share of the rows of several matrices with one input.
  struct Product {
    const Matrix* matrix;
    float* y;
    size_t stride;
  };
  template <size_t N>
  void multiply(const Product (&products)[N]) {
    int total = 0;
    for (const Product& p : products) total += p.matrix->panels();
    const Share share(total, member, team.size);
    int before = 0;
    for (const Product& p : products) {
      const int panels = p.matrix->panels();
      const int first = std::max(share.first - before, 0), last = std::min(share.last - before, panels);
      if (first < last) multiply_panels(*p.matrix, first, last, p.y, p.stride);
      before += panels;
    }
  }

  void finish_head(float* head, const Vector& bias, int index, const Vector& norm) {
    if (bias.data) k.add(head, bias.data + index * c.head_size, c.head_size, 1);
    if (norm.data) k.rms_norm(head, norm.data, c.head_size, c.norm_epsilon, head);
  }

  // Bias, norm and rotation of queries and keys; keys and values go to their pages.
  void store_keys(const Layer& layer, int layer_index) {
    const int heads = c.num_heads + 2 * c.num_kv_heads, half = c.rope_size / 2;
    const Share share(count * heads, member, team.size);
    for (int item = share.first; item < share.last; item++) {
      const int t = item / heads, head = item % heads;
      const float* cosine = single ? own.cosine : context.cosine_ + static_cast<size_t>(t * half);
      const float* sine = single ? own.sine : context.sine_ + static_cast<size_t>(t * half);
      if (head < c.num_heads) {
        float* q = context.q_ + q_width * static_cast<size_t>(t) + head * c.head_size;
        finish_head(q, layer.q_bias, head, layer.q_norm);
        k.rope(q, cosine, sine, half, c.rope_halves);
        continue;
      }
      const int position = rows[t].position, slot = position % kPageTokens;
      uint8_t* page = context.pages.page(rows[t].sequence->pages[static_cast<size_t>(position / kPageTokens)]);
      const int kv = (head - c.num_heads) % c.num_kv_heads;
      if (head < c.num_heads + c.num_kv_heads) {
        float* key = context.k_ + kv_width * static_cast<size_t>(t) + kv * c.head_size;
        finish_head(key, layer.k_bias, kv, layer.k_norm);
        k.rope(key, cosine, sine, half, c.rope_halves);
        k.to_half(key, own.half, c.head_size);
        uint16_t* keys = reinterpret_cast<uint16_t*>(page + context.pages.keys_at(layer_index, kv)) + slot;
        for (int d = 0; d < c.head_size; d++) keys[d * kPageTokens] = own.half[d];
      } else {
        float* value = context.v_ + kv_width * static_cast<size_t>(t) + kv * c.head_size;
        finish_head(value, layer.v_bias, kv, Vector{});
        k.to_half(value, reinterpret_cast<uint16_t*>(page + context.pages.values_at(layer_index, kv)) + slot * c.head_size,
                  c.head_size);
      }
    }
  }

  void attend(int layer_index) {
    const int group = c.num_heads / c.num_kv_heads;
    const float* queries[kMaxAttentionRows];
    float* results[kMaxAttentionRows];
    int positions[kMaxAttentionRows];
    const Sequence* sequence = nullptr;
    for (size_t i = static_cast<size_t>(member); i < context.tiles_.size(); i += static_cast<size_t>(team.size)) {
      const Tile& tile = context.tiles_[i];
      if (rows[tile.run_start].sequence != sequence) {
        sequence = rows[tile.run_start].sequence;
        for (size_t p = 0; p < sequence->pages.size(); p++) own.page_table[p] = context.pages.page(sequence->pages[p]);
      }
      for (int r = 0; r < tile.count; r++) {
        const int t = tile.run_start + (tile.first + r) / group;
        const size_t at = q_width * static_cast<size_t>(t) +
                          static_cast<size_t>((tile.kv_head * group + (tile.first + r) % group) * c.head_size);
        queries[r] = context.q_ + at;
        results[r] = context.attended_ + at;
        positions[r] = rows[t].position;
      }
      AttentionTile a;
      a.rows = tile.count;
      a.head_size = c.head_size;
      a.queries = queries;
      a.positions = positions;
      a.outputs = results;
      a.pages = own.page_table.data();
      a.key_offset = context.pages.keys_at(layer_index, tile.kv_head);
      a.value_offset = context.pages.values_at(layer_index, tile.kv_head);
      a.scale = c.attention_scale;
      a.window = c.sliding_window;
      a.scratch = own.attention_scratch;
      k.attention(a);
    }
  }

  // Gate and up by the same rows, so that the member that made them can combine them.
  void feed_forward(const Layer& layer) {
    const Share share(layer.gate.panels(), member, team.size);
    if (share.first == share.last) return;
    multiply_panels(layer.gate, share.first, share.last, context.gate_, inner);
    multiply_panels(layer.up, share.first, share.last, context.up_, inner);
    const size_t first = static_cast<size_t>(share.first * kLanes);
    for (int i = 0; i < num_active; i++)
      k.silu_multiply(context.gate_ + inner * static_cast<size_t>(i) + first,
                      context.up_ + inner * static_cast<size_t>(i) + first, (share.last - share.first) * kLanes);
  }

  void head() {
    if (!single) team.barrier();  // rows of other members are read below
    start_input(num_outputs, c.embedding_size, needs_of(*model.head.format));
    const Share share = share_of(num_outputs);
    for (int i = share.first; i < share.last; i++) {
      k.rms_norm(x(outputs[i]), model.output_norm.data, c.embedding_size, c.norm_epsilon, own.normed);
      set_input(i, own.normed);
    }
    if (!single) team.barrier();
    const Share panels(model.head.panels(), member, team.size);
    const size_t vocab = static_cast<size_t>(c.vocab_size);
    if (panels.first < panels.last) multiply_panels(model.head, panels.first, panels.last, logits, vocab);
    if (c.logit_scale != 1) {
      const int last = std::min(panels.last * kLanes, c.vocab_size);
      for (int i = 0; i < num_outputs; i++)
        for (int row = panels.first * kLanes; row < last; row++) logits[vocab * static_cast<size_t>(i) + static_cast<size_t>(row)] *= c.logit_scale;
    }
  }

  void run() {
    embed();
    for (int i = 0; i < c.num_layers; i++) {
      const Layer& layer = model.layers[static_cast<size_t>(i)];
      norm_input(layer.attention_norm, needs_of(*layer.attention_q.format) | needs_of(*layer.attention_k.format) |
                                           needs_of(*layer.attention_v.format));
      multiply<3>({{&layer.attention_q, context.q_, q_width},
                   {&layer.attention_k, context.k_, kv_width},
                   {&layer.attention_v, context.v_, kv_width}});
      team.barrier();
      store_keys(layer, i);
      team.barrier();
      attend(i);
      team.barrier();
      if (i == c.num_layers - 1 && num_outputs < count) {
        if (num_outputs == 0) return;
        num_active = num_outputs;
        active = outputs;
        tokens = share_of(num_active);
      }
      attended_input(needs_of(*layer.attention_output.format));
      multiply<1>({{&layer.attention_output, context.out_, width}});
      team.barrier();
      add_output();
      norm_input(layer.feed_forward_norm, needs_of(*layer.gate.format) | needs_of(*layer.up.format));
      feed_forward(layer);
      team.barrier();
      inner_input(needs_of(*layer.down.format));
      multiply<1>({{&layer.down, context.out_, width}});
      team.barrier();
      add_output();
    }
    head();
  }
};

void Context::run(const Row* rows, int count, const int* outputs, int num_outputs, float* logits) {
  const int kv_heads = model_->config.num_kv_heads, group = model_->config.num_heads / kv_heads;
  size_t longest = 0;
  for (int size = kMaxAttentionRows; size > 0; size /= 2) {  // cut finer until every member has a tile
    tiles_.clear();
    for (int start = 0, end; start < count; start = end) {
      for (end = start + 1; end < count && rows[end].sequence == rows[start].sequence; end++) {}
      longest = std::max(longest, rows[start].sequence->pages.size());
      const int num_rows = (end - start) * group;
      for (int first = 0; first < num_rows; first += size)
        for (int kv = 0; kv < kv_heads; kv++)
          tiles_.push_back(Tile{start, first, std::min(size, num_rows - first), kv});
    }
    if (static_cast<int>(tiles_.size()) >= threads_) break;
  }
  for (Member& m : members_)
    if (m.page_table.size() < longest) m.page_table.resize(longest + 64);
  // A short pass has hundreds of barriers, and a member that another process keeps from its core
  // holds up every one: then one thread is faster than two. So after a pass that lost a third of
  // its time that way the next few run alone, more of them each time. The bits are the same.
  const bool brief = count <= kBriefPass;
  const int size = brief && alone_ > 0 ? 1 : threads_;
  const auto start = std::chrono::steady_clock::now();
  const double lost = run_parallel(size, [&](int member, Team& team) {
    Pass{*this, rows, count, outputs, num_outputs, logits, member, team}.run();
  });
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
