// A language model: weights (const after loading) and one forward pass over a packed batch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/kv_cache.h"
#include "model/placement.h"
#include "nn/context.h"

namespace r1 {

class Adapter;
class ModelFile;

/// A run of tokens of one sequence within a batch.
struct SequenceSlice {
  int64_t rows = 0;                  // tokens of this run; runs lie end to end in Batch::tokens
  int64_t first_position = 0;        // position of the first of them; earlier ones are in the cache
  std::span<const int32_t> blocks;   // cache blocks of the sequence, enough for all positions
  const Adapter* adapter = nullptr;  // a low-rank addition to the weights (nn/adapter.h), or none; not owned
};

/// Tokens of many sequences laid end to end: prefill chunks, decode steps and drafts alike. No padding.
/// A block is written by one slice at a time, and a sequence occurs in one slice at most.
struct Batch {
  std::span<const int32_t> tokens;        // [rows]
  std::span<const SequenceSlice> slices;  // their rows add up to tokens.size()
  std::span<const int32_t> output_rows;   // ascending rows whose logits are wanted
};

/// Facts of a loaded model that do not depend on its architecture.
struct ModelInfo {
  std::string architecture;  // "qwen2", "llama", "deepseek2"
  std::string name;          // what the file calls itself; may be empty
  int64_t layers = 0;
  int64_t hidden = 0;             // width of the residual stream
  int64_t vocabulary = 0;         // rows of the output matrix
  int64_t context_length = 0;     // trained positions
  int64_t parameters = 0;         // stored weights
  int64_t active_parameters = 0;  // weights that one token meets
  size_t weight_bytes = 0;        // as stored
  size_t active_weight_bytes = 0;
};

class Model {
 public:
  virtual ~Model() = default;

  virtual const ModelInfo& info() const = 0;
  virtual std::vector<KvLayerShape> kv_layers() const = 0;
  /// Where its layers are, and so where a cache for it has to be.
  virtual const Placement& placement() const;

  /// Appends the batch's keys and values to the cache and writes the logits of batch.output_rows to
  /// `logits` [output_rows, vocabulary]. A row's logits depend on its own sequence's tokens alone, bit for
  /// bit. `cancelled` is asked between layers; when it says true the pass stops with Error(cancelled), and
  /// the rows written so far are to be considered unwritten. Throws Error(invalid_argument) for a token
  /// outside the vocabulary. One call at a time for a Context and for a cache; the model itself may be shared
  /// by threads.
  virtual void forward(Context& context, const Batch& batch, KvCache& cache, float* logits,
                       const std::function<bool()>& cancelled = {}) const = 0;

  /// The same up to the last norm: writes the rows that the output matrix would read, [output_rows, hidden]
  /// (embeddings). Error(unsupported) where a model has none.
  virtual void hidden_states(Context& context, const Batch& batch, KvCache& cache, float* states) const;
};

struct ModelLoadOptions {
  /// Whether all weights are brought into memory while loading, or each when it is first used.
  enum class Populate { automatic, always, never };  // automatic: if they fit into the available memory
  Populate populate = Populate::automatic;

  /// Mixtures of experts: the most used experts are kept in memory (locked where the system permits), up to
  /// this many bytes. 0: none.
  size_t expert_cache_bytes = 0;

  /// Which device holds which layer.
  Placement placement = {};

  /// KEY=TYPE:VALUE, for who opens the file: ModelFile::open.
  std::vector<std::string> overrides;

  /// Receives remarks on the file, one line each: parts that are ignored, values that it lacks. May be empty.
  std::function<void(const std::string&)> remark;
};

/// Reads the architecture from the file (GGUF or hub form) and binds its weights. The model keeps the file
/// mapped. `logits` and `states` of its passes are the host's. An unknown architecture, activation, rope
/// scaling or missing tensor is an Error that names it.
std::unique_ptr<Model> load_model(const std::shared_ptr<const ModelFile>& file,
                                  const ModelLoadOptions& options = {});

}  // namespace r1
