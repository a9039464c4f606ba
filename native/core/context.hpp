// Runs a model: sequences of tokens go in, logits come out.
#pragma once
#include <memory>
#include <vector>

#include "adapter.hpp"
#include "model.hpp"
#include "pages.hpp"
#include "pool.hpp"

namespace qingyu {

class Context {
 public:
  // activation_bits: 8, or 16: both bytes go through the integer products. Takes twice as long
  // there, with errors some 250 times smaller.
  Context(std::shared_ptr<const Model> model, int max_tokens, int threads, int activation_bits = 8);

  // Appends tokens[i] to sequences[i] and writes the logits after the tokens at the (rising)
  // indices `outputs` to logits [outputs][vocab]. std::bad_alloc when pages are short and
  // std::invalid_argument for bad ids: then nothing was appended.
  void forward(const int* tokens, const int* sequences, int count, const int* outputs,
               int num_outputs, float* logits);

  Pages pages;
  const Model& model() const { return *model_; }
  int threads() const { return threads_; }
  int activation_bits() const { return fine_ ? 16 : 8; }

 private:
  struct Row {  // one token of the micro-batch
    int token, position;
    const Sequence* sequence;
    const Adapter* adapter;
  };
  struct Batch {  // a micro-batch: logits are wanted after the rows `outputs`
    const Row* rows;
    int count;
    const int* outputs;
    int num_outputs;
    float* logits;
  };
  struct Group {  // places [first, last) of the order
    const Adapter* adapter;
    int first, last;
  };
  struct Grouping {  // rows in an order that puts those of one adapter together; empty: none has one
    std::vector<int> order;
    std::vector<Group> groups;
  };
  struct Tile {  // query rows of one kv head: rows [first, first + count) of (token, head in group)
    int run_start, first, count, kv_head;
  };
  struct Member {  // what one thread owns
    Mapping memory;
    uint8_t* matrix_scratch;
    float* attention_scratch;
    float *x, *normed, *cosine, *sine;  // x: for single tokens; normed: kAdapterRows rows
    int16_t* shorts;  // [head_size]
    Activations activations;            // for single tokens
    std::vector<float> sums;            // of an adapter, for single tokens
    std::vector<const uint8_t*> page_table;
  };
  struct Pass;
  void run(const Batch& batch);
  void run_member(const Batch& batch, int member, Team& team);
  void make_room(int tokens);
  void make_adapter_room(int tokens, int widest);
  void cut_tiles(const Batch& batch, const int* rows, int count, std::vector<Tile>& out);
  static void group_rows(const Batch& batch, const int* rows, int count, Grouping& out);

  // Floats from one token's row of `n` to the next: an odd number of cache lines, because powers of
  // two would put the same columns of all tokens into the same few cache sets.
  static size_t stride_of(int n) { return static_cast<size_t>(n / kLanes | 1) * kLanes; }

  std::shared_ptr<const Model> model_;
  int threads_, room_ = 0, widest_ = 0;
  bool fine_;
  Mapping memory_;
  float *x_ = nullptr, *q_ = nullptr, *k_ = nullptr, *v_ = nullptr, *attended_ = nullptr, *out_ = nullptr, *gate_ = nullptr, *up_ = nullptr;
  float *cosine_ = nullptr, *sine_ = nullptr;
  Activations shared_;
  std::vector<Member> members_;
  std::vector<Tile> tiles_, output_tiles_;  // of all rows, and of those whose logits are asked for
  std::vector<float> sums_;                // of adapters, [tokens][sums_width_], two rows at least
  int sums_width_ = 0;
  Grouping all_rows_, output_rows_;
  int alone_ = 0, patience_ = kFirstRest;  // see run()
  static constexpr int kFirstRest = 8, kLongestRest = 64;
};

}  // namespace qingyu
