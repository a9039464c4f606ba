#include <algorithm>
#include <cmath>
#include <cstring>

#include "context.hpp"
#include "pool.hpp"
#include "quantized.hpp"

namespace qingyu {

using AdapterLayer = Adapter::Layer;
constexpr int kWorthTaking = 32;  // tokens; with fewer, taking things one by one costs too much

// One forward pass of a micro-batch, as one member of the team sees it. A single token is prepared
// by every member for itself, which saves a barrier; more are shared out by token.
struct Context::Pass {
  Context& context;
  const Batch& batch;
  const int member;
  Team& team;

  const Row* const rows = batch.rows;
  const int count = batch.count;
  const int* const outputs = batch.outputs;
  const int num_outputs = batch.num_outputs;
  float* const logits = batch.logits;

  const Model& model = *context.model_;
  const Config& c = model.config;
  const Kernels& k = *model.kernels;
  Member& own = context.members_[static_cast<size_t>(member)];
  const bool single = count == 1;
  const bool listed = count >= kWorthTaking && team.size > 1;  // members take things from a list
  // Rows still worth computing: all, and at the end of the last layer only those asked for.
  int num_active = count;
  const int* active = nullptr;  // their indices; null: all in order
  const size_t width = stride_of(c.embedding_size);  // floats from token to token
  const size_t q_width = stride_of(c.num_heads * c.head_size);
  const size_t kv_width = stride_of(c.num_kv_heads * c.head_size);
  const size_t inner = stride_of(c.feed_forward_size);
  Share tokens = share_of(count);  // of the active rows
  Activations input = single ? own.activations : context.shared_;  // the same buffers for all

  int layer_index = 0;
  const Grouping* grouping = &context.all_rows_;  // of the active rows
  const Adapter* const only = single ? rows[0].adapter : nullptr;
  struct Queue {  // rows that wait for the same product with an adapter's A
    const AdapterInput* input = nullptr;
    int count = 0;
    const float* x[kAdapterRows];
    float* sums[kAdapterRows];
  };
  Queue queue{};

  Share share_of(int rows_to_share) const {
    return Share(rows_to_share, single ? 0 : member, single ? 1 : team.size);
  }
  int row(int i) const { return active ? active[i] : i; }
  // The active row at place j of a share: those of one adapter stand together.
  int nth(int j) const { return grouping->order.empty() ? j : grouping->order[static_cast<size_t>(j)]; }
  float* x(int t) const { return single ? own.x : context.x_ + width * static_cast<size_t>(t); }

  // work(first, last) for this member's part of `total` things, once between two barriers. With many
  // tokens the last quarter is taken one by one by whoever is free: a core that is slower, or was
  // taken away for a moment, delays nobody. Who computes a thing does not change it.
  template <class Work>
  void take(int total, const Work& work) {
    const int fixed = listed ? total / 4 * 3 : total;
    const Share share(fixed, member, team.size);
    if (share.first < share.last) work(share.first, share.last);
    if (!listed) return;
    for (int i = fixed + team.next(); i < total; i = fixed + team.next()) work(i, i + 1);
  }

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
    for (int j = tokens.first; j < tokens.last; j++) {
      const int t = nth(j);
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

  // x += what the last matrix left in out_
  void add_output(Adapter::Output of) {
    if (only && adapter_of(*only, of).rank) {  // out_ is all members'
      std::memcpy(own.normed, context.out_, static_cast<size_t>(c.embedding_size) * sizeof(float));
      adapt_single(of, 0, c.embedding_size / kLanes, own.normed, sums(1));
      k.add(own.x, own.normed, c.embedding_size, c.residual_scale);
      return;
    }
    for (int j = tokens.first; j < tokens.last; j++) {
      const int i = nth(j);
      k.add(x(row(i)), context.out_ + width * static_cast<size_t>(i), c.embedding_size, c.residual_scale);
    }
  }

  void norm_input(const Vector& weight, unsigned needs, Adapter::Input of) {
    start_input(num_active, c.embedding_size, needs);
    for (int j = tokens.first; j < tokens.last; j++) {
      const int i = nth(j);
      expect(of, i);
      float* normed = own.normed + c.embedding_size * queue.count;
      k.rms_norm(x(row(i)), weight.data, c.embedding_size, c.norm_epsilon, normed);
      set_input(i, normed);
      project(i, normed);
    }
    end_input();
  }

  void attended_input(unsigned needs) {
    start_input(num_active, c.num_heads * c.head_size, needs);
    for (int j = tokens.first; j < tokens.last; j++)
      row_input(&AdapterLayer::attended, nth(j), context.attended_ + q_width * static_cast<size_t>(row(nth(j))));
    end_input();
  }

  void inner_input(unsigned needs) {
    start_input(num_active, c.feed_forward_size, needs);
    for (int j = tokens.first; j < tokens.last; j++)
      row_input(&AdapterLayer::inner, nth(j), context.gate_ + inner * static_cast<size_t>(nth(j)));
    end_input();
  }

  void row_input(Adapter::Input of, int i, const float* from) {
    expect(of, i);
    set_input(i, from);
    project(i, from);
  }

  void end_input() {
    project_queued();
    if (!single) team.barrier();
  }

  // ---- adapters. With several tokens whoever prepares a row also makes A's sums of it, several
  // rows of one adapter at a time, and B follows the matrix's product, on the same panels. A single
  // token's input is every member's own, without a barrier: then A is shared out as further
  // panels of the product and B waits until after that product's barrier. Only gate and up are
  // combined before it, so there each member makes the sums for itself.

  float* sums(int i) const { return context.sums_.data() + static_cast<size_t>(context.sums_width_) * static_cast<size_t>(i); }
  const AdapterOutput& adapter_of(const Adapter& adapter, Adapter::Output of) const {
    return adapter.layers[static_cast<size_t>(layer_index)].*of;
  }
  const AdapterInput& adapter_of(const Adapter& adapter, Adapter::Input of) const {
    return adapter.layers[static_cast<size_t>(layer_index)].*of;
  }

  void expect(Adapter::Input of, int i) {  // the next row will be i
    const Adapter* adapter = single ? nullptr : rows[row(i)].adapter;
    const AdapterInput* wanted = adapter ? &adapter_of(*adapter, of) : nullptr;
    if (wanted && !wanted->panels) wanted = nullptr;
    if (wanted == queue.input && queue.count < kAdapterRows) return;
    project_queued();
    queue.input = wanted;
  }

  void project(int i, const float* x) {
    if (!queue.input) return;
    queue.x[queue.count] = x;
    queue.sums[queue.count++] = sums(i);
  }

  void project_queued() {
    if (queue.count) k.project(*queue.input, 0, queue.input->panels, queue.x, queue.sums, queue.count);
    queue.count = 0;
  }

  // y += B times the sums, for the rows of panels [first, last).
  void adapt(Adapter::Output of, int first, int last, float* y, size_t stride) {
    const float* from[kAdapterRows];
    float* to[kAdapterRows];
    for (const Group& group : grouping->groups) {
      const AdapterOutput& output = adapter_of(*group.adapter, of);
      if (!output.rank) continue;
      for (int j = group.first; j < group.last;) {
        int n = 0;
        for (; n < kAdapterRows && j < group.last; n++, j++) {
          from[n] = sums(nth(j)) + output.offset;
          to[n] = y + stride * static_cast<size_t>(nth(j));
        }
        k.adapt(output, first, last, from, to, n);
      }
    }
  }

  void adapt_single(Adapter::Output of, int first, int last, float* y, const float* from) {
    if (!only) return;
    const AdapterOutput& output = adapter_of(*only, of);
    from += output.offset;
    if (output.rank) k.adapt(output, first, last, &from, &y, 1);
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
    Adapter::Output adapted;
  };
  // For a single token x is the input, and A's sums of it go to sums(slot).
  template <size_t N>
  void multiply(const Product (&products)[N], Adapter::Input of, const float* x, int slot) {
    int total = 0;
    for (const Product& p : products) total += p.matrix->panels();
    if (!single) return take(total, [&](int first, int last) { multiply_rows(products, first, last); });
    const AdapterInput* a = only ? &adapter_of(*only, of) : nullptr;
    int weight = 1;  // a panel of A in panels of W, by their bytes
    if (a) weight = std::max(1, static_cast<int>(a->panel_bytes() / products[0].matrix->panel_bytes));
    const Share share(total + (a ? a->panels * weight : 0), member, team.size);
    if (a) {  // each goes to the member whose share it begins in
      const int first = std::max(share.first - total + weight - 1, 0) / weight;
      const int last = std::max(share.last - total + weight - 1, 0) / weight;
      float* to = sums(slot);
      if (first < last) k.project(*a, first, last, &x, &to, 1);
    }
    multiply_rows(products, share.first, share.last);
  }

  // The panels [first, last) of all products, counted through.
  template <size_t N>
  void multiply_rows(const Product (&products)[N], int first, int last) {
    int before = 0;
    for (const Product& p : products) {
      const int panels = p.matrix->panels(), from = std::max(first - before, 0), to = std::min(last - before, panels);
      if (from < to) {
        multiply_panels(*p.matrix, from, to, p.y, p.stride);
        if (!single) adapt(p.adapted, from, to, p.y, p.stride);
      }
      before += panels;
    }
  }

  void finish_head(float* head, const Vector& bias, int index, const Vector& norm) {
    if (bias.data) k.add(head, bias.data + index * c.head_size, c.head_size, 1);
    if (norm.data) k.rms_norm(head, norm.data, c.head_size, c.norm_epsilon, head);
  }

  // Bias, norm and rotation of queries and keys; keys and values go to their pages.
  void store_keys(const Layer& layer, int layer_index) {
    const int heads = c.num_heads + 2 * c.num_kv_heads, half = c.rope_size / 2, panels = c.head_size / kLanes;
    const Share share(count * heads, member, team.size);
    for (int item = share.first; item < share.last; item++) {
      const int t = item / heads, head = item % heads;
      const float* cosine = single ? own.cosine : context.cosine_ + static_cast<size_t>(t * half);
      const float* sine = single ? own.sine : context.sine_ + static_cast<size_t>(t * half);
      if (head < c.num_heads) {
        float* q = context.q_ + q_width * static_cast<size_t>(t) + head * c.head_size;
        adapt_single(&AdapterLayer::q, head * panels, (head + 1) * panels, context.q_, sums(0));
        finish_head(q, layer.q_bias, head, layer.q_norm);
        k.rope(q, cosine, sine, half, c.rope_halves);
        continue;
      }
      const int position = rows[t].position, slot = position % kPageTokens;
      const int kv = (head - c.num_heads) % c.num_kv_heads;
      const HeadPage& part = context.pages.head();
      uint8_t* page = context.pages.page(rows[t].sequence->pages[static_cast<size_t>(position / kPageTokens)]) +
                      context.pages.head_at(layer_index, kv);
      if (head < c.num_heads + c.num_kv_heads) {
        float* key = context.k_ + kv_width * static_cast<size_t>(t) + kv * c.head_size;
        adapt_single(&AdapterLayer::k, kv * panels, (kv + 1) * panels, context.k_, sums(0));
        finish_head(key, layer.k_bias, kv, layer.k_norm);
        k.rope(key, cosine, sine, half, c.rope_halves);
        reinterpret_cast<float*>(page + part.key_scales)[slot] = k.to_shorts(key, own.shorts, c.head_size, kKeySteps);
        for (int d = 0; d < c.head_size; d += 2)  // pairs
          std::memcpy(page + (d * kPageTokens + 2 * slot) * 2, own.shorts + d, 4);
      } else {
        float* value = context.v_ + kv_width * static_cast<size_t>(t) + kv * c.head_size;
        adapt_single(&AdapterLayer::v, kv * panels, (kv + 1) * panels, context.v_, sums(0));
        finish_head(value, layer.v_bias, kv, Vector{});
        reinterpret_cast<float*>(page + part.value_scales)[slot] = k.to_shorts(value, own.shorts, c.head_size, kValueSteps);
        int16_t* values = reinterpret_cast<int16_t*>(page + part.values) + slot / 2 * 2 * c.head_size + slot % 2;
        for (int d = 0; d < c.head_size; d++) values[2 * d] = own.shorts[d];
      }
    }
  }

  void attend(int layer_index) {
    const int group = c.num_heads / c.num_kv_heads;
    const float* queries[kMaxAttentionRows];
    float* results[kMaxAttentionRows];
    int positions[kMaxAttentionRows];
    const Sequence* sequence = nullptr;
    const std::vector<Tile>& tiles = active ? context.output_tiles_ : context.tiles_;
    const auto step = [&](int i) { return listed ? team.next() : i + team.size; };
    for (int i = listed ? team.next() : member; i < static_cast<int>(tiles.size()); i = step(i)) {
      const Tile& tile = tiles[static_cast<size_t>(i)];
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
      a.offset = context.pages.head_at(layer_index, tile.kv_head);
      a.scale = c.attention_scale;
      a.window = c.sliding_window;
      a.scratch = own.attention_scratch;
      k.attention(a);
    }
  }

  // Gate and up by the same rows, so that the member that made them can combine them.
  void feed_forward(const Layer& layer) {
    take(layer.gate.panels(), [&](int first, int last) {
      if (only) {
        const AdapterInput& a = adapter_of(*only, &AdapterLayer::feed_forward);
        const float* x = own.normed;
        float* to = own.sums.data();
        k.project(a, 0, a.panels, &x, &to, 1);
      }
      const auto make = [&](const Matrix& matrix, float* y, Adapter::Output of) {
        multiply_panels(matrix, first, last, y, inner);
        if (single) adapt_single(of, first, last, y, own.sums.data());
        else adapt(of, first, last, y, inner);
      };
      make(layer.gate, context.gate_, &AdapterLayer::gate);
      make(layer.up, context.up_, &AdapterLayer::up);
      const size_t at = static_cast<size_t>(first * kLanes);
      for (int i = 0; i < num_active; i++)
        k.silu_multiply(context.gate_ + inner * static_cast<size_t>(i) + at,
                        context.up_ + inner * static_cast<size_t>(i) + at, (last - first) * kLanes);
    });
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
      layer_index = i;
      norm_input(layer.attention_norm, needs_of(*layer.attention_q.format) | needs_of(*layer.attention_k.format) |
                                           needs_of(*layer.attention_v.format), &AdapterLayer::attention);
      multiply<3>({{&layer.attention_q, context.q_, q_width, &AdapterLayer::q},
                   {&layer.attention_k, context.k_, kv_width, &AdapterLayer::k},
                   {&layer.attention_v, context.v_, kv_width, &AdapterLayer::v}},
                  &AdapterLayer::attention, own.normed, 0);
      team.barrier();
      store_keys(layer, i);
      team.barrier();
      if (i == c.num_layers - 1 && num_outputs < count) {
        if (num_outputs == 0) return;
        num_active = num_outputs;
        active = outputs;
        tokens = share_of(num_active);
        grouping = &context.output_rows_;
      }
      attend(i);
      team.barrier();
      attended_input(needs_of(*layer.attention_output.format));
      multiply<1>({{&layer.attention_output, context.out_, width, &AdapterLayer::output}}, &AdapterLayer::attended,
                  context.attended_, 1);
      team.barrier();
      add_output(&AdapterLayer::output);
      norm_input(layer.feed_forward_norm, needs_of(*layer.gate.format) | needs_of(*layer.up.format),
                 &AdapterLayer::feed_forward);
      feed_forward(layer);
      team.barrier();
      inner_input(needs_of(*layer.down.format));
      multiply<1>({{&layer.down, context.out_, width, &AdapterLayer::down}}, &AdapterLayer::inner, context.gate_, 1);
      team.barrier();
      add_output(&AdapterLayer::down);
    }
    head();
  }
};

void Context::run_member(const Batch& batch, int member, Team& team) {
  Pass{*this, batch, member, team}.run();
}

}  // namespace qingyu
