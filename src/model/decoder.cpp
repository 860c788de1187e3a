#include "model/decoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "formats/config_reader.h"
#include "nn/tape.h"

namespace r1 {
namespace {

constexpr int64_t kBlockTokens = KvCache::kBlockTokens;

void check_batch(const Batch& batch, const KvCache& cache, const std::vector<KvLayerShape>& layers,
                 int64_t vocabulary) {
  if (cache.layers() != static_cast<int64_t>(layers.size())) {
    throw_error(ErrorKind::invalid_argument, "forward: cache: expected {} layers, found {}", layers.size(),
                cache.layers());
  }
  const auto rows = static_cast<int64_t>(batch.tokens.size());
  for (int32_t token : batch.tokens) {
    if (token < 0 || token >= vocabulary) {
      throw_error(ErrorKind::invalid_argument, "forward: token: expected 0 to {}, found {}", vocabulary - 1,
                  token);
    }
  }
  int64_t sum = 0;
  for (const SequenceSlice& slice : batch.slices) {
    if (slice.rows <= 0 || slice.first_position < 0 || slice.first_position + slice.rows > INT32_MAX) {
      throw_error(ErrorKind::invalid_argument, "forward: slice of {} rows at position {}", slice.rows,
                  slice.first_position);
    }
    sum += slice.rows;
    const int64_t needed = (slice.first_position + slice.rows + kBlockTokens - 1) / kBlockTokens;
    if (static_cast<int64_t>(slice.blocks.size()) < needed) {
      throw_error(ErrorKind::invalid_argument, "forward: slice: expected {} cache blocks, found {}", needed,
                  slice.blocks.size());
    }
    for (int64_t i = 0; i < needed; ++i) {
      if (slice.blocks[i] < 0 || slice.blocks[i] >= cache.blocks()) {
        throw_error(ErrorKind::invalid_argument, "forward: cache block: expected 0 to {}, found {}",
                    cache.blocks() - 1, slice.blocks[i]);
      }
    }
  }
  if (sum != rows) {
    throw_error(ErrorKind::invalid_argument, "forward: slices hold {} rows, the batch {}", sum, rows);
  }
  int64_t before = -1;
  for (int32_t row : batch.output_rows) {
    if (row <= before || row >= rows) {
      throw_error(ErrorKind::invalid_argument,
                  "forward: output rows: expected ascending ones below {}, found {} after {}", rows, row,
                  before);
    }
    before = row;
  }
}

// One slice for each run of neighbouring wanted rows of a sequence.
std::span<const kernels::AttentionSlice> make_wanted_slices(Context& context, const Batch& batch) {
  auto* slices =
      context.arena().allocate<kernels::AttentionSlice>(static_cast<int64_t>(batch.output_rows.size()));
  size_t count = 0;
  size_t wanted = 0;
  int64_t first_row = 0;
  for (const SequenceSlice& slice : batch.slices) {
    const int64_t end = first_row + slice.rows;
    for (; wanted < batch.output_rows.size() && batch.output_rows[wanted] < end; ++wanted) {
      const bool neighbour = count > 0 && wanted > 0 && batch.output_rows[wanted - 1] >= first_row &&
                             batch.output_rows[wanted] == batch.output_rows[wanted - 1] + 1;
      if (neighbour) {
        ++slices[count - 1].rows;
        continue;
      }
      slices[count++] = {nullptr, nullptr, 1, slice.first_position + batch.output_rows[wanted] - first_row,
                         slice.blocks.data()};
    }
    first_row = end;
  }
  return {slices, count};
}

// Which rows have which adapter; null when none has one.
const AdapterRows* make_adapter_rows(Context& context, const Batch& batch) {
  if (std::all_of(batch.slices.begin(), batch.slices.end(),
                  [](const SequenceSlice& slice) { return slice.adapter == nullptr; })) {
    return nullptr;
  }
  Arena& arena = context.arena();
  const auto count = static_cast<int64_t>(batch.slices.size());
  AdapterRun* all = arena.allocate<AdapterRun>(count);
  AdapterRun* wanted = arena.allocate<AdapterRun>(count);
  auto* rows = arena.allocate<AdapterRows>(1);
  *rows = {};
  size_t next = 0;  // of the wanted rows
  size_t runs = 0;
  for (int64_t s = 0; s < count; ++s) {
    const SequenceSlice& slice = batch.slices[s];
    rows->all_rows += slice.rows;
    const size_t before = next;
    while (next < batch.output_rows.size() && batch.output_rows[next] < rows->all_rows) ++next;
    const auto found = static_cast<int64_t>(next - before);
    // Neighbours with the same adapter are one run.
    if (runs > 0 && all[runs - 1].adapter == slice.adapter) {
      all[runs - 1].rows += slice.rows;
      wanted[runs - 1].rows += found;
    } else {
      all[runs] = {slice.rows, slice.adapter};
      wanted[runs] = {found, slice.adapter};
      ++runs;
    }
  }
  rows->all = {all, runs};
  rows->wanted = {wanted, runs};
  rows->wanted_rows = static_cast<int64_t>(batch.output_rows.size());
  return rows;
}

BatchPlan make_plan(Context& context, const Batch& batch, const RopeFrequencies& rope) {
  Arena& arena = context.arena();
  BatchPlan plan;
  plan.rows = static_cast<int64_t>(batch.tokens.size());
  int32_t* positions = arena.allocate<int32_t>(plan.rows);
  int32_t* blocks = arena.allocate<int32_t>(plan.rows);
  int32_t* within = arena.allocate<int32_t>(plan.rows);
  const auto slice_count = static_cast<int64_t>(batch.slices.size());
  auto* slices = arena.allocate<kernels::AttentionSlice>(slice_count);
  int64_t row = 0;
  for (int64_t s = 0; s < slice_count; ++s) {
    const SequenceSlice& slice = batch.slices[s];
    slices[s] = {nullptr, nullptr, slice.rows, slice.first_position, slice.blocks.data()};
    for (int64_t i = 0; i < slice.rows; ++i, ++row) {
      const int64_t position = slice.first_position + i;
      positions[row] = static_cast<int32_t>(position);
      blocks[row] = slice.blocks[position / kBlockTokens];
      within[row] = static_cast<int32_t>(position % kBlockTokens);
    }
  }
  plan.positions = positions;
  plan.cache_blocks = blocks;
  plan.block_positions = within;
  plan.rope = make_rope_table(context, rope, {positions, static_cast<size_t>(plan.rows)});
  plan.all = {plan.rows, true, nullptr, {slices, static_cast<size_t>(slice_count)}};
  plan.adapters = make_adapter_rows(context, batch);
  plan.wanted = plan.all;
  if (static_cast<int64_t>(batch.output_rows.size()) != plan.rows) {
    plan.wanted = {static_cast<int64_t>(batch.output_rows.size()), false, batch.output_rows.data(),
                   make_wanted_slices(context, batch)};
  }
  return plan;
}

}  // namespace

std::byte* cache_row(const KvCache::Plane& plane, const BatchPlan& plan, int64_t row) {
  return plane.data + static_cast<size_t>(plan.cache_blocks[row]) * plane.block_stride +
         static_cast<size_t>(plan.block_positions[row]) * plane.token_bytes;
}

std::span<const kernels::AttentionSlice> attach(Context& context, const ActiveRows& active,
                                                const float* queries, int64_t query_stride, float* output,
                                                int64_t output_stride) {
  const size_t count = active.slices.size();
  auto* slices = context.arena().allocate<kernels::AttentionSlice>(static_cast<int64_t>(count));
  int64_t row = 0;
  for (size_t s = 0; s < count; ++s) {
    slices[s] = active.slices[s];
    slices[s].queries = queries + row * query_stride;
    slices[s].output = output + row * output_stride;
    row += slices[s].rows;
  }
  return {slices, count};
}

AdapterScope::AdapterScope(Context& context, const BatchPlan& plan) : context_(context) {
  context.set_adapters(plan.adapters);
}

AdapterScope::~AdapterScope() {
  context_.set_adapters(nullptr);
}

DecoderPass Decoder::begin(Context& context, const Batch& batch, const KvCache& cache) const {
  check_batch(batch, cache, kv_layers(), info_.vocabulary);
  DecoderPass pass;
  pass.plan = make_plan(context, batch, rope_);
  pass.x = context.arena().allocate<float>(pass.plan.rows * info_.hidden);
  pass.addend = context.arena().allocate<float>(pass.plan.rows * info_.hidden);
  embed(context, weights_.embedding, batch.tokens, pass.x);
  return pass;
}

void Decoder::run_layer(Context& context, int64_t layer, DecoderPass& pass, KvCache& cache) const {
  Arena::Scope scope(context.arena());
  const int64_t hidden = info_.hidden;
  const BatchPlan& plan = pass.plan;
  const bool last = layer + 1 == info_.layers;
  const ActiveRows& active = last ? plan.wanted : plan.all;
  const Activations normed =
      add_rms_norm(context, pass.x, pass.pending, weights_.attention_norm[layer], plan.rows, hidden,
                   weights_.epsilon, attention_forms(context, layer));
  attention(context, layer, plan, active, normed, cache, pass.addend);
  if (active.count == 0) return;
  if (!active.all) {
    for (int64_t i = 0; i < active.count; ++i) {  // rows ascend, so none is overwritten before it is read
      std::memmove(pass.x + i * hidden, pass.x + active.rows[i] * hidden, hidden * sizeof(float));
    }
  }
  const Activations middle =
      add_rms_norm(context, pass.x, pass.addend, weights_.feed_forward_norm[layer], active.count, hidden,
                   weights_.epsilon, feed_forward_forms(context, layer));
  Tape* tape = context.tape();
  if (tape != nullptr && tape->rerun()) tape->set_unread(pass.addend);
  feed_forward(context, layer, middle, pass.addend);
  if (tape != nullptr) tape->set_unread(nullptr);
  pass.pending = pass.addend;
}

Activations Decoder::end(Context& context, DecoderPass& pass) const {
  return add_rms_norm(context, pass.x, pass.pending, weights_.output_norm, pass.plan.wanted.count,
                      info_.hidden, weights_.epsilon, {true, false});
}

void Decoder::forward(Context& context, const Batch& batch, KvCache& cache, float* logits,
                      const std::function<bool()>& cancelled) const {
  Arena::Scope scope(context.arena());
  DecoderPass pass = begin(context, batch, cache);
  const AdapterScope adapters(context, pass.plan);
  if (batch.tokens.empty()) return;
  for (int64_t layer = 0; layer < info_.layers; ++layer) {
    if (cancelled && cancelled()) throw Error(ErrorKind::cancelled, "forward: cancelled");
    run_layer(context, layer, pass, cache);
  }
  if (batch.output_rows.empty()) return;
  Activations normed = end(context, pass);
  if (takes_quantised(context, weights_.output.weight)) {
    // Rounding here goes straight into the logits, and the rows are few.
    normed = make_refined_activations(context, normed.values, normed.rows, info_.hidden, info_.hidden);
  }
  linear(context, weights_.output, normed, logits);
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
  weights_.output = config.tied_embeddings ? Linear{weights_.embedding, nullptr}
                                           : binder_.linear(output, info_.vocabulary, config.hidden);
  weights_.output_norm = binder_.vector(names.top("output_norm.weight", "model.norm.weight"), config.hidden);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    weights_.attention_norm.push_back(
        binder_.vector(names.layer(layer, "attn_norm.weight", "input_layernorm.weight"), config.hidden));
    weights_.feed_forward_norm.push_back(binder_.vector(
        names.layer(layer, "ffn_norm.weight", "post_attention_layernorm.weight"), config.hidden));
  }
  if (const TensorView* factors = gguf != nullptr ? gguf->find("rope_freqs.weight") : nullptr) {
    const auto count = static_cast<int64_t>(rope_.inverse.size());
    apply_frequency_factors(rope_, {binder_.vector(factors->name, count), rope_.inverse.size()});
  }
}

void Decoder::finish(const ModelSource& source, int64_t idle_elements, size_t idle_bytes) {
  info_.parameters = binder_.elements();
  info_.weight_bytes = binder_.bytes();
  // A token meets one row of the embedding, unless it is the output matrix as well.
  if (weights_.output.weight.data != weights_.embedding.data) {
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

WantedForms attention_input_forms(const Context& context, std::span<const Linear* const> layers) {
  if (gains_by_refining(context, layers[0]->weight)) return {true, false};
  return WantedForms::of(context, layers);
}

Activations refine_attention_input(Context& context, const Linear& layer, const Activations& normed) {
  if (!gains_by_refining(context, layer.weight)) return normed;
  return make_refined_activations(context, normed.values, normed.rows, normed.columns, normed.stride);
}

WantedForms GroupedQueryAttention::forms(const Context& context) const {
  const Linear* layers[] = {&query, &key, &value};
  return attention_input_forms(context, layers);
}

void GroupedQueryAttention::run(Context& context, int64_t layer, const BatchPlan& plan,
                                const ActiveRows& active, const Activations& normed, KvCache& cache,
                                float* out) const {
  Arena& arena = context.arena();
  Arena::Scope scope(arena);
  const int64_t query_columns = heads * head_columns;
  const int64_t key_columns = key_value_heads * head_columns;
  float* queries = arena.allocate<float>(active.count * query_columns);
  float* new_keys = arena.allocate<float>(plan.rows * key_columns);
  float* new_values = arena.allocate<float>(plan.rows * key_columns);
  const Activations input = refine_attention_input(context, query, normed);
  const Activations query_input =
      active.all ? input
                 : refine_attention_input(
                       context, query,
                       gather_rows(context, normed, {active.rows, static_cast<size_t>(active.count)}));
  const LinearJob jobs[] = {whole_layer(query, query_input, queries), whole_layer(key, input, new_keys),
                            whole_layer(value, input, new_values)};
  run_linear_jobs(context, jobs);

  record_rotation(context, style, plan.rope, new_keys, plan.rows, key_value_heads, head_columns);
  record_rotation(context, style, plan.rope, queries, active.count, heads, head_columns);
  const KvCache::Plane keys = cache.keys(layer);
  const KvCache::Plane values = cache.values(layer);
  const kernels::KernelTable& table = context.kernels();
  context.parallel_for(plan.rows, plan.rows > 4, [&](int64_t row, int) {
    std::byte* key_place = cache_row(keys, plan, row);
    std::byte* value_place = cache_row(values, plan, row);
    for (int64_t head = 0; head < key_value_heads; ++head) {
      float* own = new_keys + row * key_columns + head * head_columns;
      rotate(style, plan.rope, row, own);
      table.store_row(cache.key_dtype(), own, head_columns, key_place + head * keys.head_bytes);
      table.store_row(cache.value_dtype(), new_values + row * key_columns + head * head_columns, head_columns,
                      value_place + head * values.head_bytes);
    }
  });
  if (active.count == 0) return;
  context.parallel_for(active.count, active.count > 4, [&](int64_t index, int) {
    for (int64_t head = 0; head < heads; ++head) {
      rotate(style, plan.rope, active.row(index), queries + index * query_columns + head * head_columns);
    }
  });

  kernels::AttentionShape shape;
  shape.heads = heads;
  shape.key_value_heads = key_value_heads;
  shape.key_columns = shape.value_columns = head_columns;
  shape.query_stride = shape.output_stride = query_columns;
  shape.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_columns)));
  shape.block_tokens = kBlockTokens;
  shape.key_dtype = cache.key_dtype();
  shape.value_dtype = cache.value_dtype();
  shape.keys = keys.data;
  shape.key_block_bytes = keys.block_stride;
  shape.key_token_bytes = keys.token_bytes;
  shape.key_head_bytes = keys.head_bytes;
  shape.values = values.data;
  shape.value_block_bytes = values.block_stride;
  shape.value_token_bytes = values.token_bytes;
  shape.value_head_bytes = values.head_bytes;
  float* mixed = arena.allocate<float>(active.count * query_columns);
  paged_attention(context, shape, attach(context, active, queries, query_columns, mixed, query_columns));
  if (Tape* tape = context.tape()) {
    const PackedAttention record{queries,      new_keys,    new_values,      mixed,
                                 plan.rows,    heads,       key_value_heads, head_columns,
                                 head_columns, shape.scale, plan.all.slices};
    tape->record([tape, record](Context& own) { attention_backward(own, *tape, record); });
  }
  linear(context, output,
         make_activations(context, mixed, active.count, query_columns, query_columns,
                          takes_quantised(context, output.weight)),
         out);
}

WantedForms GatedFeedForward::forms(const Context& context) const {
  const Linear* layers[] = {&gate, &up};
  return WantedForms::of(context, layers);
}

void GatedFeedForward::run(Context& context, const Activations& normed, float* out) const {
  Arena& arena = context.arena();
  Arena::Scope scope(arena);
  const int64_t columns = gate.outputs();
  float* gates = arena.allocate<float>(normed.rows * columns);
  float* ups = arena.allocate<float>(normed.rows * columns);
  const LinearJob jobs[] = {whole_layer(gate, normed, gates), whole_layer(up, normed, ups)};
  run_linear_jobs(context, jobs);
  const Linear* last = &down;
  const Activations middle =
      swiglu(context, gates, ups, normed.rows, columns, WantedForms::of(context, {&last, 1}));
  linear(context, down, middle, out);
}

}  // namespace r1
