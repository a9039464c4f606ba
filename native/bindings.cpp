// The core as Python sees it; src/qingyu/_native.pyi documents every function.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <mutex>
#include <numeric>
#include <stdexcept>

#include "core/adapter.hpp"
#include "core/context.hpp"
#include "core/measure.hpp"
#include "core/model.hpp"
#include "core/quantized.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace qingyu {
namespace {

using Ints = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using FloatMatrix = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class T, size_t N>
nb::object array(std::vector<T>&& values, const size_t (&shape)[N]) {
  auto* owned = new std::vector<T>(std::move(values));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<N>>(owned->data(), N, shape, owner));
}

// Floats that are about to be written whole: no time is spent on zeroing them.
struct Block {
  float* data;
  nb::capsule owner;
  explicit Block(size_t count)
      : data(new float[count]), owner(data, [](void* p) noexcept { delete[] static_cast<float*>(p); }) {}
  nb::object matrix(size_t rows, size_t columns) {
    const size_t shape[2] = {rows, columns};
    return nb::cast(nb::ndarray<nb::numpy, float, nb::ndim<2>>(data, 2, shape, owner));
  }
};

// Bytes of any object with a buffer, read-only ones too.
struct Buffer {
  Py_buffer view;
  explicit Buffer(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view, PyBUF_C_CONTIGUOUS)) throw nb::python_error();
  }
  ~Buffer() { PyBuffer_Release(&view); }
  Buffer(const Buffer&) = delete;
  const uint8_t* data() const { return static_cast<const uint8_t*>(view.buf); }
  size_t size() const { return static_cast<size_t>(view.len); }
};

const Format& format_of(int type) {
  const Format* format = find_format(static_cast<Type>(type));
  if (!format) throw std::invalid_argument("type " + std::to_string(type) + " is not supported");
  return *format;
}

// One call at a time: a context is not for concurrent use, and says so instead of breaking.
struct GuardedContext {
  Context context;
  std::mutex busy;
  GuardedContext(std::shared_ptr<const Model> model, int max_tokens, int threads, int activation_bits)
      : context(std::move(model), max_tokens, threads, activation_bits) {}
  std::unique_lock<std::mutex> enter() {
    std::unique_lock<std::mutex> lock(busy, std::try_to_lock);
    if (!lock) throw std::invalid_argument("the context is in use by another thread");
    return lock;
  }
};

nb::object forward(GuardedContext& self, const Ints& tokens, const Ints& sequences, const Ints& outputs) {
  auto lock = self.enter();
  if (tokens.shape(0) != sequences.shape(0)) throw std::invalid_argument("tokens and sequences differ in length");
  if (tokens.shape(0) > 1u << 24 || outputs.shape(0) > tokens.shape(0)) throw std::invalid_argument("too many tokens or outputs");
  const size_t rows = outputs.shape(0), vocab = static_cast<size_t>(self.context.model().config.vocab_size);
  Block logits(rows * vocab);
  {
    nb::gil_scoped_release release;
    self.context.forward(tokens.data(), sequences.data(), static_cast<int>(tokens.shape(0)), outputs.data(),
                         static_cast<int>(rows), logits.data);
  }
  return logits.matrix(rows, vocab);
}

nb::tuple select_top(const Floats& logits, int count) {
  const int n = static_cast<int>(logits.shape(0));
  if (count < 1 || count > n) throw std::invalid_argument("count is " + std::to_string(count) + ", not in 1.." + std::to_string(n));
  const float* v = logits.data();
  auto before = [v](int a, int b) { return v[a] > v[b] || (v[a] == v[b] && a < b); };
  std::vector<int32_t> ids;
  {
    nb::gil_scoped_release release;
    if (count * 16 > n) {
      ids.resize(static_cast<size_t>(n));
      std::iota(ids.begin(), ids.end(), 0);
      std::partial_sort(ids.begin(), ids.begin() + count, ids.end(), before);
      ids.resize(static_cast<size_t>(count));
    } else {  // a heap of the best so far; most values fail against its worst
      auto heap_order = before;
      for (int i = 0; i < n; i++) {
        if (static_cast<int>(ids.size()) < count) {
          ids.push_back(i);
          std::push_heap(ids.begin(), ids.end(), heap_order);
        } else if (v[i] > v[ids.front()]) {
          std::pop_heap(ids.begin(), ids.end(), heap_order);
          ids.back() = i;
          std::push_heap(ids.begin(), ids.end(), heap_order);
        }
      }
      std::sort_heap(ids.begin(), ids.end(), heap_order);
    }
  }
  std::vector<float> values;
  for (int id : ids) values.push_back(v[id]);
  const size_t shape[1] = {ids.size()};
  return nb::make_tuple(array(std::move(ids), shape), array(std::move(values), shape));
}

}  // namespace
}  // namespace qingyu

using namespace qingyu;

NB_MODULE(_native, m) {
  m.doc() = "The C++ core of Qingyu; see _native.pyi.";
  nb::set_leak_warnings(false);  // the interpreter may end while a model is still referenced

  m.def("instruction_sets", &instruction_sets);
  m.def("supported_types", [] {
    std::vector<int> types;
    for (const Format& f : kFormats) types.push_back(static_cast<int>(f.type));
    return types;
  });
  m.def("dequantize", [](int type, nb::handle data, size_t count) {
    const Format& f = format_of(type);
    const Buffer buffer(data);
    const size_t block = static_cast<size_t>(f.file_block);
    if (count % block || count / block != buffer.size() / static_cast<size_t>(f.file_bytes) ||
        buffer.size() % static_cast<size_t>(f.file_bytes))
      throw std::invalid_argument("count does not match the data");
    std::vector<float> out(count);
    dequantize(f, buffer.data(), count, out.data());
    const size_t shape[1] = {count};
    return array(std::move(out), shape);
  }, "type"_a, "data"_a, "count"_a);
  m.def("measure_read_bandwidth", [](size_t bytes, int threads, double seconds) {
    if (threads < 1 || threads > 1024 || bytes < 4096 || seconds < 0 || seconds > 60) throw std::invalid_argument("arguments out of range");
    return read_bandwidth(bytes, threads, seconds);
  }, "num_bytes"_a, "threads"_a, "seconds"_a, nb::call_guard<nb::gil_scoped_release>());
  m.def("measure_int8_peak", [](int threads, double seconds) {
    if (threads < 1 || threads > 1024 || seconds < 0 || seconds > 60) throw std::invalid_argument("arguments out of range");
    return int8_peak(threads, seconds);
  }, "threads"_a, "seconds"_a, nb::call_guard<nb::gil_scoped_release>());
  m.def("select_top", &qingyu::select_top, "logits"_a, "count"_a);

  nb::class_<Model>(m, "NativeModel")
      .def_prop_ro("vocab_size", [](const Model& self) { return self.config.vocab_size; })
      .def_prop_ro("weight_bytes", [](const Model& self) { return self.arena.used(); })
      .def_prop_ro("instruction_set", [](const Model& self) { return self.kernels->name; })
      .def_prop_ro("kv_bytes_per_token", &Model::kv_bytes_per_token)
      .def("dequantize_rows", [](const Model& self, const std::string& name, int first, int count) {
        const Matrix* matrix = self.find_matrix(name);
        if (!matrix) throw std::invalid_argument("there is no matrix '" + name + "'");
        if (first < 0 || count < 0 || count > matrix->rows - first) throw std::invalid_argument("rows out of range");
        const size_t columns = static_cast<size_t>(matrix->columns), rows = static_cast<size_t>(count);
        Block out(rows * columns);
        for (int i = 0; i < count; i++) dequantize_row(*matrix, first + i, out.data + columns * static_cast<size_t>(i));
        return out.matrix(rows, columns);
      }, "name"_a, "first"_a, "count"_a);

  nb::class_<ModelBuilder>(m, "ModelBuilder")
      .def("__init__", [](ModelBuilder* self, int num_layers, int embedding_size, int feed_forward_size, int num_heads,
                          int num_kv_heads, int head_size, int vocab_size, int context_length, double norm_epsilon,
                          int rope_size, bool rope_halves, const std::vector<double>& rope_frequencies,
                          double rope_scale, double attention_scale, int sliding_window, double embedding_scale,
                          double residual_scale, double logit_scale, const std::string& instruction_set, int threads) {
        Config c;
        c.num_layers = num_layers;
        c.embedding_size = embedding_size;
        c.feed_forward_size = feed_forward_size;
        c.num_heads = num_heads;
        c.num_kv_heads = num_kv_heads;
        c.head_size = head_size;
        c.vocab_size = vocab_size;
        c.context_length = context_length;
        c.norm_epsilon = static_cast<float>(norm_epsilon);
        c.rope_size = rope_size;
        c.rope_halves = rope_halves;
        c.rope_frequencies = rope_frequencies;
        c.rope_scale = rope_scale;
        c.attention_scale = static_cast<float>(attention_scale);
        c.sliding_window = sliding_window;
        c.embedding_scale = static_cast<float>(embedding_scale);
        c.residual_scale = static_cast<float>(residual_scale);
        c.logit_scale = static_cast<float>(logit_scale);
        new (self) ModelBuilder(std::move(c), instruction_set, threads);
      }, nb::kw_only(), "num_layers"_a, "embedding_size"_a, "feed_forward_size"_a, "num_heads"_a, "num_kv_heads"_a,
         "head_size"_a, "vocab_size"_a, "context_length"_a, "norm_epsilon"_a, "rope_size"_a, "rope_halves"_a,
         "rope_frequencies"_a, "rope_scale"_a = 1.0, "attention_scale"_a = 0.0, "sliding_window"_a = 0,
         "embedding_scale"_a = 1.0, "residual_scale"_a = 1.0, "logit_scale"_a = 1.0, "instruction_set"_a = "",
         "threads"_a = 1)
      .def("add", [](ModelBuilder& self, const std::string& name, int type, const std::vector<long long>& shape, nb::handle data) {
        const Buffer buffer(data);
        nb::gil_scoped_release release;
        self.add(name, type, shape, buffer.data(), buffer.size());
      }, "name"_a, "type"_a, "shape"_a, "data"_a)
      .def("build", [](ModelBuilder& self) { return std::const_pointer_cast<Model>(self.build()); });

  nb::class_<Adapter>(m, "NativeAdapter")
      .def_prop_ro("weight_bytes", [](const Adapter& self) { return self.arena.used(); });

  nb::class_<AdapterBuilder>(m, "AdapterBuilder")
      .def("__init__", [](AdapterBuilder* self, std::shared_ptr<Model> model, int bits) { new (self) AdapterBuilder(std::move(model), bits); },
           "model"_a, "bits"_a = 16)
      .def("add", [](AdapterBuilder& self, const std::string& name, const FloatMatrix& a, const FloatMatrix& b, double scale) {
        if (a.shape(0) != b.shape(1)) throw std::invalid_argument("the ranks of a and b differ");
        for (size_t size : {a.shape(0), a.shape(1), b.shape(0)})
          if (size > 1u << 24) throw std::invalid_argument("the matrices are too large");
        nb::gil_scoped_release release;
        self.add(name, static_cast<int>(a.shape(0)), static_cast<int>(a.shape(1)), a.data(), static_cast<int>(b.shape(0)), b.data(), scale);
      }, "name"_a, "a"_a.noconvert(), "b"_a.noconvert(), "scale"_a)
      .def("build", [](AdapterBuilder& self) { return std::const_pointer_cast<Adapter>(self.build()); });

  nb::class_<GuardedContext>(m, "NativeContext")
      .def("__init__", [](GuardedContext* self, std::shared_ptr<Model> model, int max_tokens, int threads, int activation_bits) {
        new (self) GuardedContext(std::move(model), max_tokens, threads, activation_bits);
      }, "model"_a, nb::kw_only(), "max_tokens"_a, "threads"_a, "activation_bits"_a = 8)
      .def_prop_ro("page_tokens", [](const GuardedContext&) { return kPageTokens; })
      .def_prop_ro("pages_total", [](GuardedContext& self) { return self.context.pages.total(); })
      .def_prop_ro("pages_free", [](GuardedContext& self) { return self.context.pages.free(); })
      .def_prop_ro("threads", [](GuardedContext& self) { return self.context.threads(); })
      .def_prop_ro("activation_bits", [](GuardedContext& self) { return self.context.activation_bits(); })
      .def("create", [](GuardedContext& self, std::shared_ptr<Adapter> adapter) {
        auto lock = self.enter();
        return self.context.pages.create(std::move(adapter));
      }, "adapter"_a.none() = nb::none())
      .def("length", [](GuardedContext& self, int sequence) { auto lock = self.enter(); return self.context.pages.length(sequence); }, "sequence"_a)
      .def("forward", &forward, "tokens"_a.noconvert(), "sequences"_a.noconvert(), "outputs"_a.noconvert())
      .def("fork", [](GuardedContext& self, int sequence, int length) { auto lock = self.enter(); return self.context.pages.fork(sequence, length); }, "sequence"_a, "length"_a)
      .def("truncate", [](GuardedContext& self, int sequence, int length) { auto lock = self.enter(); self.context.pages.truncate(sequence, length); }, "sequence"_a, "length"_a)
      .def("drop", [](GuardedContext& self, int sequence) { auto lock = self.enter(); self.context.pages.drop(sequence); }, "sequence"_a)
      .def("save", [](GuardedContext& self, int sequence) {
        auto lock = self.enter();
        const std::string out = self.context.pages.save(sequence);
        return nb::bytes(out.data(), out.size());
      }, "sequence"_a)
      .def("restore", [](GuardedContext& self, nb::bytes data, std::shared_ptr<Adapter> adapter) {
        auto lock = self.enter();
        return self.context.pages.restore(static_cast<const uint8_t*>(data.data()), data.size(), std::move(adapter));
      }, "data"_a, "adapter"_a.none() = nb::none());
}
