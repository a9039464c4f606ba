#include "adapter.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "half.hpp"

namespace qingyu {
namespace {

constexpr int kMostRanks = 4096;

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument(what); }

// The matrices of a layer in the order of their use, those with the same input together.
struct Place {
  const char* name;
  Adapter::Input input;
  Adapter::Output output;
};
constexpr Place kPlaces[] = {
    {"attn_q.weight", &Adapter::Layer::attention, &Adapter::Layer::q},
    {"attn_k.weight", &Adapter::Layer::attention, &Adapter::Layer::k},
    {"attn_v.weight", &Adapter::Layer::attention, &Adapter::Layer::v},
    {"attn_output.weight", &Adapter::Layer::attended, &Adapter::Layer::output},
    {"ffn_gate.weight", &Adapter::Layer::feed_forward, &Adapter::Layer::gate},
    {"ffn_up.weight", &Adapter::Layer::feed_forward, &Adapter::Layer::up},
    {"ffn_down.weight", &Adapter::Layer::inner, &Adapter::Layer::down},
};

// Multiplies values with a power of two that brings the largest of them to 2^14 ... 2^15, where
// float16 has 29 more powers of two below; the exponent.
int lift(float* values, int count, size_t stride) {
  float largest = 0;
  for (int i = 0; i < count; i++) largest = std::max(largest, std::fabs(values[static_cast<size_t>(i) * stride]));
  if (largest == 0) return 0;
  const int exponent = std::clamp(14 - std::ilogb(largest), -40, 60);
  for (int i = 0; i < count; i++) {
    float& value = values[static_cast<size_t>(i) * stride];
    value = std::ldexp(value, exponent);
  }
  return exponent;
}

// The same to -127 ... 127 in whole steps; the size of a step.
double step(float* values, int count, size_t stride) {
  float largest = 0;
  for (int i = 0; i < count; i++) largest = std::max(largest, std::fabs(values[static_cast<size_t>(i) * stride]));
  if (largest == 0) return 0;
  for (int i = 0; i < count; i++) {
    float& value = values[static_cast<size_t>(i) * stride];
    value = static_cast<float>(std::nearbyint(127.0 * static_cast<double>(value) / static_cast<double>(largest)));
  }
  return static_cast<double>(largest) / 127;
}

void store(uint8_t* to, size_t index, float value, int bits) {
  if (bits == 16) {
    const uint16_t half = f32_to_f16(value);
    std::memcpy(to + 2 * index, &half, 2);
  } else {
    to[index] = static_cast<uint8_t>(static_cast<int8_t>(value));
  }
}

}  // namespace

AdapterBuilder::AdapterBuilder(std::shared_ptr<const Model> model, int bits) : model_(std::move(model)), bits_(bits) {
  if (bits != 8 && bits != 16) refuse("bits is " + std::to_string(bits) + ", not 8 or 16");
}

void AdapterBuilder::add(const std::string& name, int rank, int columns, const float* a, int rows, const float* b,
                         double scale) {
  if (!model_) refuse("the builder is empty");
  const Matrix* matrix = model_->find_matrix(name);
  if (!matrix || name.rfind("blk.", 0) != 0) refuse("there is no matrix '" + name + "' that an adapter can change");
  if (rank < 1 || rank > kMostRanks) refuse("'" + name + "': rank is " + std::to_string(rank) + ", not in 1.." + std::to_string(kMostRanks));
  if (columns != matrix->columns || rows != matrix->rows)
    refuse("'" + name + "' is " + std::to_string(matrix->rows) + " x " + std::to_string(matrix->columns) + ", the adapter's " +
           std::to_string(rows) + " x " + std::to_string(columns));
  if (!std::isfinite(scale)) refuse("'" + name + "': the scale is not finite");
  if (pairs_.count(name)) refuse("'" + name + "' was given twice");
  const size_t r = static_cast<size_t>(rank);
  Pair pair{rank, columns, rows, {a, a + r * static_cast<size_t>(columns)}, {b, b + r * static_cast<size_t>(rows)}, {}};
  for (const std::vector<float>* values : {&pair.a, &pair.b})
    for (float value : *values)
      if (!std::isfinite(value)) refuse("'" + name + "' holds a value that is not finite");
  for (size_t k = 0; k < r; k++) {
    float* row = &pair.a[k * static_cast<size_t>(columns)];
    float* column = &pair.b[k];
    if (bits_ == 16) pair.scale.push_back(static_cast<float>(std::ldexp(scale, -(lift(row, columns, 1) + lift(column, rows, r)))));
    else pair.scale.push_back(static_cast<float>(scale * step(row, columns, 1) * step(column, rows, r)));
  }
  pairs_.emplace(name, std::move(pair));
}

std::shared_ptr<const Adapter> AdapterBuilder::build() {
  if (!model_) refuse("the builder is empty");
  if (pairs_.empty()) refuse("the adapter has no matrices");
  auto adapter = std::make_shared<Adapter>();
  adapter->layers.resize(model_->layers.size());
  for (size_t i = 0; i < adapter->layers.size(); i++) {
    Adapter::Layer& layer = adapter->layers[i];
    const std::string prefix = "blk." + std::to_string(i) + ".";
    auto find = [&](const Place& place) -> const Pair* {
      const auto found = pairs_.find(prefix + place.name);
      return found == pairs_.end() ? nullptr : &found->second;
    };
    for (const Place& place : kPlaces) {
      AdapterInput& input = layer.*place.input;
      if (input.panels) continue;  // its first matrix brought it
      int rows = 0, columns = 0;
      for (const Place& other : kPlaces)
        if (const Pair* pair = other.input == place.input ? find(other) : nullptr) {
          (layer.*other.output).rank = pair->rank;
          (layer.*other.output).offset = rows;
          rows += pair->rank;
          columns = pair->columns;
        }
      if (!rows) continue;
      input.panels = (rows + kLanes - 1) / kLanes;
      input.columns = columns;
      const size_t padded = static_cast<size_t>(input.panels) * kLanes, width = static_cast<size_t>(columns);
      adapter->widest = std::max(adapter->widest, static_cast<int>(padded));
      input.bits = bits_;
      uint8_t* a = adapter->arena.take(padded * width * static_cast<size_t>(bits_ / 8));
      float* scale = reinterpret_cast<float*>(adapter->arena.take(padded * sizeof(float)));
      for (const Place& other : kPlaces) {
        const Pair* pair = other.input == place.input ? find(other) : nullptr;
        if (!pair) continue;
        AdapterOutput& output = layer.*other.output;
        const size_t ranks = static_cast<size_t>(pair->rank);
        for (size_t k = 0; k < ranks; k++) {
          const size_t row = static_cast<size_t>(output.offset) + k;
          const size_t start = row / kLanes * width * kLanes + row % kLanes;
          for (size_t c = 0; c < width; c++) store(a, start + c * kLanes, pair->a[k * width + c], bits_);
          scale[row] = pair->scale[k];
        }
        const size_t height = static_cast<size_t>(pair->rows);
        uint8_t* b = adapter->arena.take(height * ranks * static_cast<size_t>(bits_ / 8));
        for (size_t row = 0; row < height; row++)
          for (size_t k = 0; k < ranks; k++)
            store(b, (row / kLanes * ranks + k) * kLanes + row % kLanes, pair->b[row * ranks + k], bits_);
        output.bits = bits_;
        output.b = b;
      }
      input.a = a;
      input.scale = scale;
    }
  }
  pairs_.clear();
  adapter->model = std::move(model_);
  return adapter;
}

}  // namespace qingyu
