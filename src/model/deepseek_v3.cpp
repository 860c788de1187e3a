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
#include "model/rope_frequencies.h"
#include "nn/experts.h"
#include "nn/latent.h"
#include "nn/tape.h"

namespace r1 {
namespace {

struct LatentDimensions : LatentHeads {
  int64_t query_latent = 0;  // 0: queries come straight from the hidden state
};

// Multi-head latent attention of one layer.
struct LatentAttention {
  Linear query_down, query_up;  // without a query latent: query_up alone
  const float* query_norm = nullptr;
  Linear key_value_down;  // {latent + rotary, hidden}
  const float* key_value_norm = nullptr;
  LatentProjections projections;
  Linear output;

  const Linear& query_input() const { return query_norm != nullptr ? query_down : query_up; }
  WantedForms forms(const Context& context) const {
    const Linear* layers[] = {&query_input(), &key_value_down};
    return attention_input_forms(context, layers);
  }
};

// Mixture of experts of one layer, or a dense block.
struct FeedForward {
  GatedFeedForward dense;
  bool is_dense = true;
  Linear router;
  const float* router_bias = nullptr;
  Experts experts;
  SharedExpert shared;
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
    for (const FeedForward& own : feed_forward_) {
      // Gate, up and their product; of each chosen expert its input and result as well.
      widest = std::max(widest, own.is_dense
                                    ? 3 * own.dense.gate.outputs()
                                    : rule_.chosen * (3 * own.experts.gate[0].outputs() + 2 * info_.hidden) +
                                          3 * own.shared.gate.outputs() + rule_.experts);
    }
    return 4 * info_.hidden + 3 * d.query_latent + 2 * d.cached() +
           d.heads * (d.query() + d.cached() + d.latent + d.value) + widest;
  }

  AttentionWidths attention_widths() const override {
    const LatentDimensions& d = dimensions_;
    int64_t longest = std::max({info_.hidden, d.heads * d.query(), d.heads * d.value});
    for (const FeedForward& own : feed_forward_) {
      longest = std::max(longest, own.is_dense ? own.dense.gate.outputs() : own.shared.gate.outputs());
    }
    return {d.heads, 1, d.cached(), longest};
  }

 protected:
  WantedForms attention_forms(const Context& context, int64_t layer) const override {
    return attention_[layer].forms(context);
  }
  WantedForms feed_forward_forms(const Context& context, int64_t layer) const override;
  void attention(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
                 const Activations& normed, KvCache& cache, float* out) const override;
  void feed_forward(Context& context, int64_t layer, const Activations& normed, float* out) const override;

 private:
  void bind_attention(int64_t layer, int64_t hidden);
  void bind_experts(int64_t layer, int64_t hidden, int64_t width, int64_t shared);

  const float* project_queries(Context& context, const LatentAttention& own, const Activations& input) const;

  LatentDimensions dimensions_;
  float score_scale_ = 0;
  RoutingRule rule_;
  std::vector<LatentAttention> attention_;
  std::vector<FeedForward> feed_forward_;
  std::unique_ptr<ExpertResidency> residency_;
};

DeepseekV3::DeepseekV3(const ModelSource& source) : Decoder(source.file) {
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

  int64_t expert_elements = 0;
  size_t expert_bytes = 0;
  std::vector<const Experts*> stacks;
  for (const FeedForward& own : feed_forward_) {
    if (own.is_dense) continue;
    stacks.push_back(&own.experts);
    for (const std::vector<Linear>* part : {&own.experts.gate, &own.experts.up, &own.experts.down}) {
      for (const Linear& one : *part) {
        expert_elements += one.outputs() * one.inputs();
        expert_bytes += static_cast<size_t>(one.outputs()) * one.weight.row_bytes;
      }
    }
  }
  const int64_t idle = rule_.experts - rule_.chosen;
  const int64_t of = std::max<int64_t>(rule_.experts, 1);
  finish(source, expert_elements / of * idle, expert_bytes / of * idle);
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
  LatentAttention& own = attention_.emplace_back();
  if (d.query_latent > 0) {
    own.query_down = linear("attn_q_a", "q_a_proj", d.query_latent, hidden);
    own.query_norm = vector("attn_q_a_norm", "q_a_layernorm", d.query_latent);
    own.query_up = linear("attn_q_b", "q_b_proj", d.heads * d.query(), d.query_latent);
  } else {
    own.query_up = linear("attn_q", "q_proj", d.heads * d.query(), hidden);
  }
  own.key_value_down = linear("attn_kv_a_mqa", "kv_a_proj_with_mqa", d.cached(), hidden);
  own.key_value_norm = vector("attn_kv_a_norm", "kv_a_layernorm", d.latent);
  own.output = linear("attn_output", "o_proj", hidden, d.heads * d.value);
  const std::string key_up = names.layer(layer, "attn_k_b.weight", "");
  const std::string value_up = names.layer(layer, "attn_v_b.weight", "");
  if (binder_.file().gguf() != nullptr && binder_.has(key_up) && binder_.has(value_up)) {
    own.projections.keys = binder_.stack(key_up, d.heads, d.latent, d.plain);
    own.projections.values = binder_.stack(value_up, d.heads, d.value, d.latent);
    return;
  }
  own.projections.together = linear("attn_kv_b", "kv_b_proj", d.heads * (d.plain + d.value), d.latent);
  if (d.plain % kernels::kOutputPanel != 0 || d.value % kernels::kOutputPanel != 0) {
    throw_error(ErrorKind::unsupported,
                "{}: heads of {} plain key columns and {} value columns: expected multiples of {}",
                binder_.file().path().string(), d.plain, d.value, kernels::kOutputPanel);
  }
}

void DeepseekV3::bind_experts(int64_t layer, int64_t hidden, int64_t width, int64_t shared) {
  const TensorNames names(binder_.file());
  FeedForward& own = feed_forward_.emplace_back();
  own.is_dense = false;
  own.router =
      binder_.linear(names.layer(layer, "ffn_gate_inp.weight", "mlp.gate.weight"), rule_.experts, hidden);
  own.router_bias = binder_.vector(names.layer(layer, "exp_probs_b.bias", "mlp.gate.e_score_correction_bias"),
                                   rule_.experts);
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
  own.experts.gate = experts("ffn_gate_exps.weight", "gate_proj", width, hidden);
  own.experts.up = experts("ffn_up_exps.weight", "up_proj", width, hidden);
  own.experts.down = experts("ffn_down_exps.weight", "down_proj", hidden, width);
  if (shared == 0) return;
  auto shared_layer = [&](const std::string& part, int64_t outputs, int64_t inputs) {
    return binder_.linear(names.layer(layer, fmt::format("ffn_{}_shexp.weight", part),
                                      fmt::format("mlp.shared_experts.{}_proj.weight", part)),
                          outputs, inputs);
  };
  own.shared = {shared_layer("gate", shared * width, hidden), shared_layer("up", shared * width, hidden),
                shared_layer("down", hidden, shared * width)};
}

const float* DeepseekV3::project_queries(Context& context, const LatentAttention& own,
                                         const Activations& input) const {
  Arena& arena = context.arena();
  float* queries = arena.allocate<float>(input.rows * own.query_up.outputs());
  if (own.query_norm == nullptr) {
    linear(context, own.query_up, input, queries);
    return queries;
  }
  float* latent = arena.allocate<float>(input.rows * dimensions_.query_latent);
  linear(context, own.query_down, input, latent);
  const Linear* up = &own.query_up;
  const Activations normed =
      add_rms_norm(context, latent, nullptr, own.query_norm, input.rows, dimensions_.query_latent,
                   weights_.epsilon, WantedForms::of(context, {&up, 1}));
  linear(context, own.query_up, normed, queries);
  return queries;
}

void DeepseekV3::attention(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
                           const Activations& normed, KvCache& cache, float* out) const {
  const LatentAttention& own = attention_[layer];
  const LatentDimensions& d = dimensions_;
  Arena& arena = context.arena();
  Arena::Scope scope(arena);

  float* compressed = arena.allocate<float>(plan.rows * d.cached());
  const Activations input = refine_attention_input(context, own.query_input(), normed);
  linear(context, own.key_value_down, input, compressed);
  const float* finished =
      finish_latent_keys(context, d, own.key_value_norm, weights_.epsilon, plan.rope, plan.rows, compressed);
  const KvCache::Plane keys = cache.keys(layer);
  context.parallel_for(plan.rows, plan.rows > 4, [&](int64_t row, int) {
    context.kernels().store_row(cache.key_dtype(), finished + row * d.cached(), d.cached(),
                                cache_row(keys, plan, row));
  });
  if (active.count == 0) return;

  const Activations query_input =
      active.all ? input
                 : refine_attention_input(
                       context, own.query_input(),
                       gather_rows(context, normed, {active.rows, static_cast<size_t>(active.count)}));
  const float* queries = project_queries(context, own, query_input);
  float* absorbed = arena.allocate<float>(active.count * d.heads * d.cached());
  absorb_queries(context, d, own.projections, plan.rope, active.all ? nullptr : active.rows, queries,
                 active.count, absorbed);

  kernels::AttentionShape shape;
  shape.heads = d.heads;
  shape.key_value_heads = 1;
  shape.key_columns = d.cached();
  shape.value_columns = d.latent;
  shape.query_stride = d.heads * d.cached();
  shape.output_stride = d.heads * d.latent;
  shape.scale = score_scale_;
  shape.block_tokens = KvCache::kBlockTokens;
  shape.key_dtype = shape.value_dtype = cache.key_dtype();
  shape.keys = shape.values = keys.data;
  shape.key_block_bytes = shape.value_block_bytes = keys.block_stride;
  shape.key_token_bytes = shape.value_token_bytes = keys.token_bytes;
  shape.key_head_bytes = shape.value_head_bytes = keys.head_bytes;
  float* mixed = arena.allocate<float>(active.count * shape.output_stride);
  paged_attention(context, shape,
                  attach(context, active, absorbed, shape.query_stride, mixed, shape.output_stride));
  if (Tape* tape = context.tape()) {
    const PackedAttention record{absorbed, finished,   finished, mixed,       plan.rows,      d.heads,
                                 1,        d.cached(), d.latent, shape.scale, plan.all.slices};
    tape->record([tape, record](Context& later) { attention_backward(later, *tape, record); });
  }

  float* values = arena.allocate<float>(active.count * d.heads * d.value);
  expand_values(context, d, own.projections, mixed, active.count, values);
  const int64_t columns = d.heads * d.value;
  linear(context, own.output,
         make_activations(context, values, active.count, columns, columns,
                          takes_quantised(context, own.output.weight)),
         out);
}

WantedForms DeepseekV3::feed_forward_forms(const Context& context, int64_t layer) const {
  const FeedForward& own = feed_forward_[layer];
  if (own.is_dense) return own.dense.forms(context);
  const Linear* layers[] = {&own.experts.gate[0], &own.experts.up[0]};
  WantedForms wanted = WantedForms::of(context, layers);
  if (own.shared.gate.outputs() > 0) {
    const Linear* shared[] = {&own.shared.gate, &own.shared.up};
    wanted.quantised |= WantedForms::of(context, shared).quantised;
  }
  wanted.floats = true;  // the router's
  return wanted;
}

void DeepseekV3::feed_forward(Context& context, int64_t layer, const Activations& normed, float* out) const {
  const FeedForward& own = feed_forward_[layer];
  if (own.is_dense) {
    own.dense.run(context, normed, out);
    return;
  }
  Arena& arena = context.arena();
  Arena::Scope scope(arena);
  float* logits = arena.allocate<float>(normed.rows * rule_.experts);
  LinearJob job = whole_layer(own.router, normed, logits);
  job.float_only = true;  // a choice between experts: rounding would show
  run_linear_jobs(context, {&job, 1});
  const Routing routing = route_by_sigmoid(context, rule_, logits, own.router_bias, normed.rows);
  residency_->use(own.experts, {routing.experts, static_cast<size_t>(normed.rows * rule_.chosen)});
  expert_feed_forward(context, own.experts, own.shared.gate.outputs() > 0 ? &own.shared : nullptr, rule_,
                      routing, normed, out);
}

}  // namespace

std::unique_ptr<Model> load_deepseek_v3(const ModelSource& source) {
  return std::make_unique<DeepseekV3>(source);
}

}  // namespace r1
