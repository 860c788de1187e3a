#include "model/decoder.h"

#include <algorithm>
#include <list>
#include <optional>

#include "base/error.h"
#include "formats/config_reader.h"
#include "nn/elementwise.h"
#include "nn/linear.h"
#include "nn/rope.h"
#include "nn/tape.h"

namespace r1 {

/// Gives back what a pass allocates, on every device of the model.
class Decoder::PassScope {
 public:
  PassScope(Context& context, const Placement& placement) {
    open(context, *placement.ends);
    for (DeviceMemory* memory : placement.layers) open(context, *memory);
  }

 private:
  void open(Context& context, const DeviceMemory& memory) {
    if (std::ranges::find(memories_, &memory) != memories_.end()) return;
    const DeviceScope device(context, memory);
    memories_.push_back(&memory);
    scopes_.emplace_back(context.arena());
  }

  std::vector<const DeviceMemory*> memories_;
  std::list<Arena::Scope> scopes_;
};

DecoderPass Decoder::begin(Context& context, const Batch& batch, const KvCache& cache) const {
  check_batch(batch, cache, kv_layers(), info_.vocabulary);
  check_adapters(batch);
  DecoderPass pass;
  pass.memory = placement().ends;
  const DeviceScope device(context, *pass.memory);
  pass.plan = make_plan(context, batch, rope_);
  pass.rows = pass.plan.rows;
  pass.x = context.arena().allocate<float>(pass.rows * info_.hidden);
  pass.addend = context.arena().allocate<float>(pass.rows * info_.hidden);
  embed(context, weights_.embedding, batch.tokens, pass.x);
  return pass;
}

void Decoder::move_to(Context& context, DeviceMemory& memory, DecoderPass& pass) const {
  if (pass.memory == &memory) return;
  if (context.tape() != nullptr) {
    throw_error(ErrorKind::unsupported, "training of a model with layers on several devices");
  }
  const DeviceScope device(context, memory);
  const int64_t floats = pass.rows * info_.hidden;
  std::vector<float> rows(static_cast<size_t>(floats));
  const auto move = [&](float* from) {
    float* to = context.arena().allocate<float>(floats);
    pass.memory->download(rows.data(), from, rows.size() * sizeof(float));
    memory.upload(to, rows.data(), rows.size() * sizeof(float));
    return to;
  };
  const bool pending = pass.pending != nullptr;
  pass.x = move(pass.x);
  pass.addend = pending ? move(pass.addend) : context.arena().allocate<float>(floats);
  pass.pending = pending ? pass.addend : nullptr;
  pass.memory = &memory;
  place_plan(context, rope_, pass.plan);
}

void Decoder::run_layer(Context& context, int64_t layer, DecoderPass& pass, KvCache& cache) const {
  move_to(context, placement().layer(layer), pass);
  const DeviceScope device(context, *pass.memory);
  const int64_t hidden = info_.hidden;
  const BatchPlan& plan = pass.plan;
  const bool last = layer + 1 == info_.layers;
  const ActiveRows& active = last ? plan.wanted : plan.all;
  // Outlives the layer: the rows that go on.
  float* wanted = active.is_all() ? nullptr : context.arena().allocate<float>(active.count * hidden);
  Arena::Scope scope(context.arena());
  const LayerReaders& readers = readers_[static_cast<size_t>(layer)];
  const Activations normed =
      add_rms_norm(context, pass.x, pass.pending, weights_.attention_norm[layer], plan.rows, hidden,
                   weights_.epsilon, {readers.attention, Rounding::careful}, RowSet::all);
  attention(context, layer, plan, active, normed, cache, pass.addend);
  if (active.count == 0) return;
  if (wanted != nullptr) {
    context.backend().take_rows(wanted, pass.x, active.rows, active.count, hidden);
    pass.x = wanted;
    pass.rows = active.count;
  }
  const Activations middle =
      add_rms_norm(context, pass.x, pass.addend, weights_.feed_forward_norm[layer], active.count, hidden,
                   weights_.epsilon, {readers.feed_forward}, active.set);
  Tape* tape = context.tape();
  if (tape != nullptr && tape->rerun()) tape->set_unread(pass.addend);
  feed_forward(context, layer, middle, pass.addend);
  if (tape != nullptr) tape->set_unread(nullptr);
  pass.pending = pass.addend;
}

Activations Decoder::end(Context& context, DecoderPass& pass) const {
  const DeviceScope device(context, *pass.memory);
  const Linear* reader = &weights_.output;
  return add_rms_norm(context, pass.x, pass.pending, weights_.output_norm, pass.plan.wanted.count,
                      info_.hidden, weights_.epsilon, {{&reader, 1}, Rounding::finest}, pass.plan.wanted.set);
}

bool Decoder::run(Context& context, DecoderPass& pass, KvCache& cache,
                  const std::function<bool()>& cancelled) const {
  if (pass.plan.rows == 0) return false;
  for (int64_t layer = 0; layer < info_.layers; ++layer) {
    if (cancelled && cancelled()) throw Error(ErrorKind::cancelled, "forward: cancelled");
    run_layer(context, layer, pass, cache);
  }
  if (pass.plan.wanted.count == 0) return false;
  move_to(context, *placement().ends, pass);
  return true;
}

void Decoder::forward(Context& context, const Batch& batch, KvCache& cache, float* logits,
                      const std::function<bool()>& cancelled) const {
  const PassScope scope(context, placement());
  DecoderPass pass = begin(context, batch, cache);
  const AdapterScope adapters(context, pass.plan.adapters);
  if (!run(context, pass, cache, cancelled)) return;
  const DeviceScope device(context, *pass.memory);
  const Activations normed = end(context, pass);
  const int64_t count = normed.rows * info_.vocabulary;
  float* out = pass.memory->is_host() ? logits : context.arena().allocate<float>(count);
  linear(context, weights_.output, normed, out);
  if (out != logits) pass.memory->download(logits, out, static_cast<size_t>(count) * sizeof(float));
}

void Decoder::hidden_states(Context& context, const Batch& batch, KvCache& cache, float* states) const {
  const PassScope scope(context, placement());
  DecoderPass pass = begin(context, batch, cache);
  const AdapterScope adapters(context, pass.plan.adapters);
  if (!run(context, pass, cache, {})) return;
  const Activations normed = end(context, pass);
  pass.memory->download(states, normed.values,
                        static_cast<size_t>(normed.rows * info_.hidden) * sizeof(float));
}

void Decoder::bind_head(const ModelConfig& config) {
  const TensorNames names(binder_.file());
  info_.architecture = config.architecture;
  info_.layers = config.layers;
  info_.hidden = config.hidden;
  info_.context_length = config.context_length;
  info_.vocabulary = std::max<int64_t>(config.vocabulary, 1);  // 0: there is no table, which is said below
  weights_.epsilon = static_cast<float>(config.epsilon);
  const GgufFile* gguf = binder_.file().gguf();
  if (gguf != nullptr) {
    info_.name = gguf->find_string("general.name").value_or("");
  } else {
    info_.name = ConfigReader(binder_.file(), "").find_text({"", "_name_or_path"}).value_or("");
  }

  const std::string embedding = names.top("token_embd.weight", "model.embed_tokens.weight");
  weights_.embedding = binder_.matrix(embedding, info_.vocabulary, config.hidden);
  if (weights_.embedding.dtype == DType::f8_e4m3) {
    throw_error(ErrorKind::unsupported, "{}: tensor '{}': embedding in F8_E4M3",
                binder_.file().path().string(), embedding);
  }
  const std::string output = names.top("output.weight", "lm_head.weight");
  weights_.output = config.tied_embeddings ? Linear{weights_.embedding, {}}
                                           : binder_.linear(output, info_.vocabulary, config.hidden);
  weights_.output_norm = binder_.vector(names.top("output_norm.weight", "model.norm.weight"), config.hidden);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    binder_.bind_to_layer(layer);
    weights_.attention_norm.push_back(
        binder_.vector(names.layer(layer, "attn_norm.weight", "input_layernorm.weight"), config.hidden));
    weights_.feed_forward_norm.push_back(binder_.vector(
        names.layer(layer, "ffn_norm.weight", "post_attention_layernorm.weight"), config.hidden));
  }
  binder_.bind_to_ends();
  if (const TensorView* factors = gguf != nullptr ? gguf->find("rope_freqs.weight") : nullptr) {
    const std::vector<float> values = binder_.host_vector(factors->name, std::ssize(rope_.inverse));
    apply_frequency_factors(rope_, values);
  }
}

void Decoder::finish(const ModelSource& source, std::vector<LayerReaders> readers, int64_t idle_elements,
                     size_t idle_bytes) {
  readers_ = std::move(readers);
  info_.parameters = binder_.elements();
  info_.weight_bytes = binder_.bytes();
  // A token meets one row of the embedding, unless it is the output matrix as well.
  if (!weights_.is_tied()) {
    idle_elements += (info_.vocabulary - 1) * info_.hidden;
    idle_bytes += static_cast<size_t>(info_.vocabulary - 1) * weights_.embedding.row_bytes;
  }
  info_.active_parameters = info_.parameters - idle_elements;
  info_.active_weight_bytes = info_.weight_bytes - idle_bytes;
  const std::vector<std::string> remarks =
      account_for_tensors(binder_.file(), source.config, binder_.bound_names());
  if (!source.options.remark) return;
  for (const std::string& remark : remarks) source.options.remark(remark);
}

void Decoder::accept_adapters(std::initializer_list<const Linear*> layers) {
  for (const Linear* layer : layers) adaptable_.insert(layer->weight.id);
}

void Decoder::check_adapters(const Batch& batch) const {
  const Adapter* checked = nullptr;
  for (const SequenceSlice& slice : batch.slices) {
    if (slice.adapter == nullptr || slice.adapter == checked) continue;
    checked = slice.adapter;
    for (const auto& [id, terms] : slice.adapter->terms()) {
      if (adaptable_.contains(id)) continue;
      const auto tensors = file().tensors();
      const bool known = id.is_known() && static_cast<size_t>(id.tensor) < tensors.size();
      throw_error(ErrorKind::invalid_argument,
                  "forward: an adapter adds to {}, which is no layer of this model that takes adapters",
                  known ? fmt::format("tensor '{}'", tensors[static_cast<size_t>(id.tensor)].name)
                        : std::string("a tensor that the model's file does not have"));
    }
  }
}

}  // namespace r1
