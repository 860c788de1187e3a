// DeepSeek-V3 and R1: latent attention over a compressed cache, mixture of experts.
// Source: DeepSeek-V3 Technical Report (2024) and its published inference code; DeepSeek-V2 (2024), section
// 2.1, for the absorption of the key and value projections.
//
// The cache holds one row a token: the normed latent, then the rotated shared key. Queries are carried into
// the latent space (absorbed) and the attention's result is carried out of it, in prefill and decode alike,
// so that both do the same sums.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/architectures.h"
#include "model/decoder.h"
#include "model/expert_residency.h"
#include "model/gated_feed_forward.h"
#include "model/rope_frequencies.h"
#include "nn/attention.h"
#include "nn/elementwise.h"
#include "nn/experts.h"
#include "nn/latent.h"
#include "nn/linear.h"
#include "nn/rope.h"

namespace r1 {
namespace {

struct LatentDimensions : LatentHeads {
  int64_t query_latent = 0;  // 0: queries come straight from the hidden state
};

// Multi-head latent attention of one layer.
struct LatentAttention {
  Linear query_down, query_up;  // without a query latent: query_up alone
  WeightVector query_norm;
  Linear key_value_down;  // {latent + rotary, hidden}
  WeightVector key_value_norm;
  LatentProjections projections;
  Linear output;

  const Linear& query_input() const { return query_norm.is_present() ? query_down : query_up; }
};

// Mixture of experts of one layer, or a dense block.
struct FeedForward {
  GatedFeedForward dense;
  bool is_dense = true;
  Linear router;
  WeightVector router_bias;
  Experts experts;
  SharedExpert shared;

  const SharedExpert* find_shared() const { return shared.gate.outputs() > 0 ? &shared : nullptr; }
};

class DeepseekV3 final : public Decoder {
 public:
  explicit DeepseekV3(const ModelSource& source);

  std::vector<KvLayerShape> kv_layers() const override {
    return std::vector<KvLayerShape>(attention_.size(), {1, dimensions_.cached(), 0});
  }

  int64_t row_floats() const override {
    const LatentDimensions& d = dimensions_;
    int64_t widest = 0;
    for (const FeedForward& block : feed_forward_) {
      // Gate, up and their product; of each chosen expert its input and result as well.
      widest = std::max(
          widest, block.is_dense ? 3 * block.dense.gate.outputs()
                                 : rule_.chosen * (3 * block.experts.gate[0].outputs() + 2 * info_.hidden) +
                                       3 * block.shared.gate.outputs() + rule_.experts);
    }
    return 4 * info_.hidden + 3 * d.query_latent + 2 * d.cached() +
           d.heads * (d.query() + d.cached() + d.latent + d.value) + widest;
  }

  AttentionWidths attention_widths() const override {
    const LatentDimensions& d = dimensions_;
    int64_t longest = std::max({info_.hidden, d.heads * d.query(), d.heads * d.value});
    for (const FeedForward& block : feed_forward_) {
      longest = std::max(longest, block.is_dense ? block.dense.gate.outputs() : block.shared.gate.outputs());
    }
    return {d.heads, 1, d.cached(), longest};
  }

 protected:
  void attention(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
                 const Activations& normed, KvCache& cache, float* out) const override;
  void feed_forward(Context& context, int64_t layer, const Activations& normed, float* out) const override;

 private:
  void bind_attention(int64_t layer, int64_t hidden);
  void bind_experts(int64_t layer, int64_t hidden, int64_t width, int64_t shared);

  std::vector<LayerReaders> layer_readers() const;

  const float* project_queries(Context& context, const LatentAttention& attention,
                               const Activations& input) const;

  LatentDimensions dimensions_;
  float score_scale_ = 0;
  RoutingRule rule_;
  std::vector<LatentAttention> attention_;
  std::vector<FeedForward> feed_forward_;
  std::unique_ptr<ExpertResidency> residency_;
};

DeepseekV3::DeepseekV3(const ModelSource& source) : Decoder(source.file, source.options.placement) {
  const ModelConfig& config = source.config;
  const LatentConfig& latent = *config.latent;
  dimensions_.heads = config.heads;
  dimensions_.query_latent = latent.query_rank;
  dimensions_.latent = latent.key_value_rank;
  dimensions_.plain = latent.plain;
  dimensions_.rotary = latent.rotary;
  dimensions_.value = latent.value;
  rope_ = rope_frequencies(config.rope, latent.rotary);
  const double magnitude = config.rope.score_magnitude;
  score_scale_ =
      static_cast<float>(magnitude * magnitude / std::sqrt(static_cast<double>(dimensions_.query())));
  bind_head(config);
  if (const auto& experts = config.experts) {
    rule_.experts = experts->experts;
    rule_.chosen = experts->chosen;
    rule_.groups = experts->groups;
    rule_.chosen_groups = experts->chosen_groups;
    rule_.scale = static_cast<float>(experts->scale);
    rule_.normalise = experts->normalise;
  }
  const TensorNames names(*source.file);
  const int64_t middle = config.middle, hidden = config.hidden;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    binder_.bind_to_layer(layer);
    bind_attention(layer, hidden);
    if (layer >= config.dense_layers) {
      bind_experts(layer, hidden, config.experts->width, config.experts->shared);
      continue;
    }
    feed_forward_.emplace_back().dense = {
        binder_.linear(names.layer(layer, "ffn_gate.weight", "mlp.gate_proj.weight"), middle, hidden),
        binder_.linear(names.layer(layer, "ffn_up.weight", "mlp.up_proj.weight"), middle, hidden),
        binder_.linear(names.layer(layer, "ffn_down.weight", "mlp.down_proj.weight"), hidden, middle)};
  }

  for (const LatentAttention& attention : attention_) {
    accept_adapters({&attention.query_up, &attention.key_value_down, &attention.output});
    if (attention.query_norm.is_present()) accept_adapters({&attention.query_down});
  }
  for (const FeedForward& block : feed_forward_) {
    if (block.is_dense) {
      accept_adapters({&block.dense.gate, &block.dense.up, &block.dense.down});
    } else if (block.shared.gate.outputs() > 0) {
      accept_adapters({&block.shared.gate, &block.shared.up, &block.shared.down});
    }
  }
  int64_t expert_elements = 0;
  size_t expert_bytes = 0;
  std::vector<const Experts*> stacks;
  const bool on_host = std::ranges::all_of(source.options.placement.layers,
                                           [](const DeviceMemory* memory) { return memory->is_host(); }) &&
                       source.options.placement.ends->is_host();
  for (const FeedForward& block : feed_forward_) {
    if (block.is_dense) continue;
    if (on_host) stacks.push_back(&block.experts);
    for (const std::vector<Linear>* part : {&block.experts.gate, &block.experts.up, &block.experts.down}) {
      for (const Linear& one : *part) {
        expert_elements += one.outputs() * one.inputs();
        expert_bytes += static_cast<size_t>(one.outputs()) * one.weight.row_bytes;
      }
    }
  }
  const int64_t idle = rule_.experts - rule_.chosen;
  const int64_t of = std::max<int64_t>(rule_.experts, 1);
  finish(source, layer_readers(), expert_elements / of * idle, expert_bytes / of * idle);
  if (!stacks.empty()) {
    residency_ =
        std::make_unique<ExpertResidency>(std::move(stacks), source.options.expert_cache_bytes,
                                          source.options.populate == ModelLoadOptions::Populate::never);
  }
}

void DeepseekV3::bind_attention(int64_t layer, int64_t hidden) {
  const TensorNames names(binder_.file());
  const LatentDimensions& d = dimensions_;
  auto linear = [&](const std::string& gguf, const std::string& hub, int64_t outputs, int64_t inputs) {
    return binder_.linear(names.layer(layer, gguf + ".weight", "self_attn." + hub + ".weight"), outputs,
                          inputs);
  };
  auto vector = [&](const std::string& gguf, const std::string& hub, int64_t count) {
    return binder_.vector(names.layer(layer, gguf + ".weight", "self_attn." + hub + ".weight"), count);
  };
  LatentAttention& attention = attention_.emplace_back();
  if (d.query_latent > 0) {
    attention.query_down = linear("attn_q_a", "q_a_proj", d.query_latent, hidden);
    attention.query_norm = vector("attn_q_a_norm", "q_a_layernorm", d.query_latent);
    attention.query_up = linear("attn_q_b", "q_b_proj", d.heads * d.query(), d.query_latent);
  } else {
    attention.query_up = linear("attn_q", "q_proj", d.heads * d.query(), hidden);
  }
  attention.key_value_down = linear("attn_kv_a_mqa", "kv_a_proj_with_mqa", d.cached(), hidden);
  attention.key_value_norm = vector("attn_kv_a_norm", "kv_a_layernorm", d.latent);
  attention.output = linear("attn_output", "o_proj", hidden, d.heads * d.value);
  const std::string key_up = names.layer(layer, "attn_k_b.weight", "");
  const std::string value_up = names.layer(layer, "attn_v_b.weight", "");
  if (binder_.file().gguf() != nullptr && binder_.has(key_up) && binder_.has(value_up)) {
    attention.projections.keys = binder_.stack(key_up, d.heads, d.latent, d.plain);
    attention.projections.values = binder_.stack(value_up, d.heads, d.value, d.latent);
    return;
  }
  attention.projections.together = linear("attn_kv_b", "kv_b_proj", d.heads * (d.plain + d.value), d.latent);
  if (d.plain % kernels::kOutputPanel != 0 || d.value % kernels::kOutputPanel != 0) {
    throw_error(ErrorKind::unsupported,
                "{}: heads of {} plain key columns and {} value columns: expected multiples of {}",
                binder_.file().path().string(), d.plain, d.value, kernels::kOutputPanel);
  }
}

void DeepseekV3::bind_experts(int64_t layer, int64_t hidden, int64_t width, int64_t shared) {
  const TensorNames names(binder_.file());
  FeedForward& block = feed_forward_.emplace_back();
  block.is_dense = false;
  block.router =
      binder_.linear(names.layer(layer, "ffn_gate_inp.weight", "mlp.gate.weight"), rule_.experts, hidden);
  block.router_bias = binder_.vector(
      names.layer(layer, "exp_probs_b.bias", "mlp.gate.e_score_correction_bias"), rule_.experts);
  auto experts = [&](const std::string& gguf, const std::string& hub, int64_t outputs, int64_t inputs) {
    if (binder_.file().gguf() != nullptr) {
      return binder_.stack(names.layer(layer, gguf, ""), rule_.experts, outputs, inputs);
    }
    std::vector<Linear> layers;
    for (int64_t e = 0; e < rule_.experts; ++e) {
      const std::string name = fmt::format("mlp.experts.{}.{}.weight", e, hub);
      layers.push_back(binder_.linear(names.layer(layer, "", name), outputs, inputs));
    }
    return layers;
  };
  block.experts.gate = experts("ffn_gate_exps.weight", "gate_proj", width, hidden);
  block.experts.up = experts("ffn_up_exps.weight", "up_proj", width, hidden);
  block.experts.down = experts("ffn_down_exps.weight", "down_proj", hidden, width);
  if (shared == 0) return;
  auto shared_layer = [&](const std::string& part, int64_t outputs, int64_t inputs) {
    return binder_.linear(names.layer(layer, fmt::format("ffn_{}_shexp.weight", part),
                                      fmt::format("mlp.shared_experts.{}_proj.weight", part)),
                          outputs, inputs);
  };
  block.shared = {shared_layer("gate", shared * width, hidden), shared_layer("up", shared * width, hidden),
                  shared_layer("down", hidden, shared * width)};
}

const float* DeepseekV3::project_queries(Context& context, const LatentAttention& attention,
                                         const Activations& input) const {
  Arena& arena = context.arena();
  float* queries = arena.allocate<float>(input.rows * attention.query_up.outputs());
  if (!attention.query_norm.is_present()) {
    linear(context, attention.query_up, input, queries);
    return queries;
  }
  float* latent = arena.allocate<float>(input.rows * dimensions_.query_latent);
  linear(context, attention.query_down, input, latent);
  const Linear* reader = &attention.query_up;
  const Activations normed =
      add_rms_norm(context, latent, nullptr, attention.query_norm, input.rows, dimensions_.query_latent,
                   weights_.epsilon, {{&reader, 1}}, input.row_set);
  linear(context, attention.query_up, normed, queries);
  return queries;
}

void DeepseekV3::attention(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
                           const Activations& normed, KvCache& cache, float* out) const {
  const LatentAttention& attention = attention_[layer];
  const LatentDimensions& d = dimensions_;
  Arena& arena = context.arena();
  Arena::Scope scope(arena);

  float* compressed = arena.allocate<float>(plan.rows * d.cached());
  linear(context, attention.key_value_down, normed, compressed);
  const float* keys = finish_latent_keys(context, d, attention.key_value_norm, weights_.epsilon, plan.rope,
                                         plan.rows, compressed);
  const StoreCall store{keys, plan.rows, 1, d.cached(), cache.keys(layer), plan.places};
  store_rows(context, {&store, 1});
  if (active.count == 0) return;

  const Activations query_input =
      active.is_all() ? normed : gather_rows(context, normed, active.rows, active.count, active.set);
  const float* queries = project_queries(context, attention, query_input);
  float* absorbed = arena.allocate<float>(active.count * d.heads * d.cached());
  absorb_queries(context, d, attention.projections, plan.rope, active.rows, queries, active.count, absorbed);

  AttentionCall call;
  call.heads = d.heads;
  call.key_value_heads = 1;
  call.key_columns = d.cached();
  call.value_columns = d.latent;
  call.scale = score_scale_;
  call.block_tokens = KvCache::kBlockTokens;
  call.keys = call.values = cache.keys(layer);
  call.queries = absorbed;
  float* attended = arena.allocate<float>(active.count * d.heads * d.latent);
  call.output = attended;
  call.sequences = active.sequences;
  paged_attention(context, call);
  record_attention(context, call, keys, keys);

  float* values = arena.allocate<float>(active.count * d.heads * d.value);
  expand_values(context, d, attention.projections, attended, active.count, values);
  const int64_t columns = d.heads * d.value;
  const Linear* reader = &attention.output;
  linear(context, attention.output,
         make_activations(context, values, active.count, columns, columns, {{&reader, 1}}, active.set), out);
}

void DeepseekV3::feed_forward(Context& context, int64_t layer, const Activations& normed, float* out) const {
  const FeedForward& block = feed_forward_[layer];
  if (block.is_dense) {
    block.dense.run(context, normed, out);
    return;
  }
  Arena& arena = context.arena();
  Arena::Scope scope(arena);
  float* logits = arena.allocate<float>(normed.rows * rule_.experts);
  LinearJob job = whole_layer(block.router, normed, logits);
  job.float_only = true;  // a choice between experts: rounding would show
  run_linear_jobs(context, {&job, 1});
  const Routing routing = route_by_sigmoid(context, rule_, logits, block.router_bias.values, normed.rows);
  expert_feed_forward(context, block.experts, block.find_shared(), rule_, routing, normed, out,
                      residency_.get());
}

std::vector<Decoder::LayerReaders> DeepseekV3::layer_readers() const {
  std::vector<LayerReaders> readers;
  for (size_t i = 0; i < attention_.size(); ++i) {
    const LatentAttention& attention = attention_[i];
    const FeedForward& block = feed_forward_[i];
    LayerReaders& layer = readers.emplace_back();
    layer.attention = {&attention.query_input(), &attention.key_value_down};
    layer.feed_forward = block.is_dense ? std::vector<const Linear*>{&block.dense.gate, &block.dense.up}
                                        : expert_readers(block.experts, block.find_shared());
  }
  return readers;
}

}  // namespace

std::unique_ptr<Model> load_deepseek_v3(const ModelSource& source) {
  return std::make_unique<DeepseekV3>(source);
}

}  // namespace r1
