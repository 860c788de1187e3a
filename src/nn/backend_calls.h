// The calls of a backend (nn/backend.h), one struct each. Pointers to floats, integers and stored bytes are
// addresses of the device; spans, and structs that are pointed at, are the host's and are read before the
// call returns. Rows have no gaps where no stride is given.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/activations.h"
#include "nn/weight.h"
#include "tensor/product.h"

namespace r1 {

/// One product of a set: outputs [output_begin, output_end) of `layer` for all rows of `input`, written to
/// output[r · output_stride + (o - output_begin)]. output_begin is a multiple of 16.
struct LinearJob {
  const Linear* layer = nullptr;
  Activations input;
  float* output = nullptr;
  int64_t output_stride = 0;
  int64_t output_begin = 0;
  int64_t output_end = 0;
  bool float_only = false;  // float32 activations even where others would do (an expert router)
};

/// Whole layers of one shape, each for rows of its own: layer e for rows [begin[e], begin[e + 1]) of input
/// and output. The device alone knows how many rows that is.
struct GroupedJob {
  std::span<const Linear> layers;
  const int32_t* begin = nullptr;  // [layers.size() + 1]
  int64_t rows = 0;                // begin[layers.size()]
  Activations input;               // [rows, inputs]
  bool same_row = false;           // the input is one row, which stands for all
  float* output = nullptr;         // [rows, outputs]
};

/// The gradients of a GroupedJob over float32 rows.
struct GroupedBackwardCall {
  GroupedJob job;
  const float* output_gradient = nullptr;
  float* input_gradient = nullptr;           // added to; same_row: of the one row
  std::span<float* const> weight_gradients;  // of each layer, added to; null: frozen
};

/// Mixed arithmetic rounds stored weights as it does a layer's.
using Product = StridedProduct<Weight>;

/// x += addend (unless null), then out = x / sqrt(mean(x²) + epsilon) · weight, row by row.
struct NormCall {
  float* x = nullptr;
  const float* addend = nullptr;
  const float* weight = nullptr;  // [columns]
  int64_t rows = 0, columns = 0;
  float epsilon = 0;
  float* saved = nullptr;  // gets x after the addition, unless null
  float* out = nullptr;
  Readers readers;
};

/// The gradient of the norm alone: added to x_gradient and, unless null, to weight_gradient.
struct NormBackwardCall {
  const float* x = nullptr;
  int64_t x_stride = 0;
  const float* weight = nullptr;
  const float* out_gradient = nullptr;
  int64_t out_gradient_stride = 0;
  int64_t rows = 0, columns = 0;
  float epsilon = 0;
  float* x_gradient = nullptr;
  int64_t x_gradient_stride = 0;
  float* weight_gradient = nullptr;
};

/// out = silu(gate) · up, [rows, columns] each. out may be gate.
struct SwigluCall {
  const float* gate = nullptr;
  const float* up = nullptr;
  int64_t rows = 0, columns = 0;
  float* out = nullptr;
  bool needs_floats = true;  // false: `out` may be left as it was where no reader takes float32
  Readers readers;
};

struct SwigluBackwardCall {
  const float* gate = nullptr;
  const float* up = nullptr;
  const float* out_gradient = nullptr;
  int64_t count = 0;
  float* gate_gradient = nullptr;  // written
  float* up_gradient = nullptr;    // written
};

/// Which two elements of a head make pair i of n.
enum class RopeStyle {
  interleaved,  // 2i and 2i + 1
  half_split,   // i and i + n
};

/// Angle of pair i at position p: p · inverse[i] radians. `magnitude` multiplies sine and cosine.
struct RopeFrequencies {
  std::vector<double> inverse;
  double magnitude = 1.0;
};

/// cosines, sines [rows, pairs] of the rows' positions.
struct RopeTable {
  const float* cosines = nullptr;
  const float* sines = nullptr;
  int64_t pairs = 0;
};

/// Rotates the first 2 · pairs elements of each head, in place: head h of row r at x + r · stride + h ·
/// columns, by row table_rows[r] of the table (null: row r).
struct RotateCall {
  RopeStyle style = RopeStyle::half_split;
  RopeTable table;
  const int32_t* table_rows = nullptr;
  float* x = nullptr;
  int64_t rows = 0, heads = 0, columns = 0, stride = 0;
  bool back = false;  // by the transpose: gradients
};

/// One layer's keys or values in the cache: token t of block b, head h at data + b · block_stride + t ·
/// token_bytes + h · head_bytes.
struct CachePlane {
  std::byte* data = nullptr;
  size_t block_stride = 0, token_bytes = 0, head_bytes = 0;
  DType dtype = DType::f16;  // f32, f16, q8_0 or q4_0
};

/// Where rows go in the cache, [rows] each.
struct CachePlaces {
  const int32_t* blocks = nullptr;
  const int32_t* tokens = nullptr;  // within the block
};

/// Stores x [rows, heads · columns] in a plane's type.
struct StoreCall {
  const float* x = nullptr;
  int64_t rows = 0, heads = 0, columns = 0;
  CachePlane plane;
  CachePlaces places;
};

/// A run of neighbouring rows of one sequence. Row r stands at position first_position + r and sees the keys
/// of positions 0 … first_position + r, its own included.
struct SequenceRows {
  int64_t rows = 0;
  int64_t first_position = 0;
  const int32_t* blocks = nullptr;  // host: cache block of each block_tokens positions in turn
};

/// Causal attention of packed rows over the cache.
struct AttentionCall {
  int64_t heads = 0, key_value_heads = 0;      // equal groups of heads share keys and values
  int64_t key_columns = 0, value_columns = 0;  // of one head
  float scale = 0;                             // multiplies the scores
  int64_t window = 0;              // positions that a query sees, itself included; 0: all up to itself
  int64_t block_tokens = 0;        // of a cache block: a power of two
  CachePlane keys, values;         // the same plane: a value is the head of its key
  const float* queries = nullptr;  // [rows, heads · key_columns]
  float* output = nullptr;         // [rows, heads · value_columns]
  std::span<const SequenceRows> sequences;  // their rows, end to end
};

/// The gradients of attention over a training batch: every sequence from its first token on, keys and values
/// (rotated, float32) beside the queries. Added to.
struct AttentionBackwardCall {
  int64_t heads = 0, key_value_heads = 0;
  int64_t key_columns = 0, value_columns = 0;
  float scale = 0;
  int64_t window = 0;  // as in AttentionCall
  const float* queries = nullptr;
  const float* keys = nullptr;    // [rows, key_value_heads · key_columns]
  const float* values = nullptr;  // [rows, key_value_heads · value_columns]; keys: the first columns of each
  const float* output = nullptr;
  std::span<const SequenceRows> sequences;
  const float* output_gradient = nullptr;
  float* query_gradient = nullptr;
  float* key_gradient = nullptr;
  float* value_gradient = nullptr;  // key_gradient where the values are in the keys
};

struct LatentHeads {
  int64_t heads = 0;
  int64_t latent = 0;  // of keys and values
  int64_t plain = 0;   // key columns of a head without position
  int64_t rotary = 0;  // key columns with position, shared by all heads
  int64_t value = 0;   // value columns of a head

  constexpr int64_t query() const { return plain + rotary; }
  constexpr int64_t cached() const { return latent + rotary; }
};

/// The projections from the latent, either together ({heads · (plain + value), latent}: of each head the
/// key's rows, then the value's) or apart, a head each: keys transposed {latent, plain}, values {value,
/// latent}.
struct LatentProjections {
  Linear together;
  std::vector<Linear> keys, values;  // empty: together

  bool apart() const { return !keys.empty(); }
};

/// Of compressed rows [rows, latent + rotary]: the latent normed, the rest rotated by row r of the table.
/// keys may be `compressed`.
struct LatentKeysCall {
  LatentHeads heads;
  const float* norm = nullptr;  // [latent]
  float epsilon = 0;
  RopeTable table;
  int64_t rows = 0;
  const float* compressed = nullptr;
  float* keys = nullptr;
};

/// Queries [rows, heads, plain + rotary]: the plain part through the transposed key projection, the rest
/// rotated, to [rows, heads, latent + rotary] (absorb). Attention's result [rows, heads, latent] through each
/// head's value projection, to [rows, heads, value] (expand).
struct LatentCall {
  LatentHeads heads;
  const LatentProjections* projections = nullptr;
  RopeTable table;  // absorb
  const int32_t* table_rows =
      nullptr;  // absorb: row i stands in row table_rows[i] of the table; null: in row i
  const float* input = nullptr;
  int64_t rows = 0;
  float* output = nullptr;
};

/// The gradients of a LatentCall.
struct LatentBackwardCall {
  LatentCall call;
  const float* output_gradient = nullptr;
  float* input_gradient = nullptr;  // written
  // Of the weights used: of `together`, or of each head's; added to, null where frozen.
  float* together_gradient = nullptr;
  std::span<float* const> head_gradients;
};

struct RoutingRule {
  int64_t experts = 0;
  int64_t chosen = 0;         // experts for a row
  int64_t groups = 1;         // equal groups of neighbouring experts
  int64_t chosen_groups = 1;  // groups that may be chosen from: those with the largest sum of two best
  bool normalise = true;      // weights divided by their sum
  float scale = 1;            // weights multiplied by this
};

/// scores = sigmoid(logits); experts are chosen by score + bias (equal ones: the lower number), weighed by
/// the score alone.
struct RouteCall {
  RoutingRule rule;
  const float* logits = nullptr;  // [rows, experts]
  const float* bias = nullptr;    // [experts], or null
  int64_t rows = 0;
  int32_t* experts = nullptr;  // [rows, chosen], ascending in a row
  float* weights = nullptr;    // [rows, chosen]
};

/// For weights and their gradient, the gradient of the logits: added to.
struct RouteBackwardCall {
  RouteCall call;
  const float* weights_gradient = nullptr;
  float* logits_gradient = nullptr;
};

struct Experts;

/// Told which experts a pass is about to read where the host knows them in time (a CPU that reads them from a
/// mapped file).
class ExpertObserver {
 public:
  virtual ~ExpertObserver() = default;
  virtual void use(const Experts& layer, std::span<const int32_t> experts) = 0;
};

/// Sorts (row, choice) pairs by expert: pairs [begin[e], begin[e + 1]) are expert e's, pair p is row
/// pair_row[p], and pair_of[row · chosen + k] finds them again. Equal experts in the order of rows.
struct AssignCall {
  const int32_t* experts = nullptr;  // [rows, chosen]
  int64_t expert_count = 0, rows = 0, chosen = 0;
  int32_t* begin = nullptr;     // [expert_count + 1]
  int32_t* pair_row = nullptr;  // [rows · chosen]
  int32_t* pair_of = nullptr;   // [rows · chosen]
  ExpertObserver* observer = nullptr;
  const Experts* layer = nullptr;  // for the observer
};

/// out[row] (+)= Σ_k weights[row, k] · results[pair_of[row, k]], in the order of k.
struct ExpertSumCall {
  const float* results = nullptr;    // [rows · chosen, columns]
  const float* weights = nullptr;    // [rows, chosen]
  const int32_t* pair_of = nullptr;  // [rows, chosen]
  int64_t rows = 0, chosen = 0, columns = 0;
  bool accumulate = false;  // false: from zero
  float* out = nullptr;     // [rows, columns]
};

/// Writes both gradients.
struct ExpertSumBackwardCall {
  ExpertSumCall call;
  const float* out_gradient = nullptr;
  float* results_gradient = nullptr;
  float* weights_gradient = nullptr;
};

/// Which inputs of a low-rank term are zeroed: a function of stream, term, row and column alone, so that a
/// layer that runs again sees the same. rate 0: none.
struct Dropout {
  double rate = 0;  // a multiple of 2^-16 is what is meant
  uint64_t stream = 0;
};

/// out[r][c] (+)= x[r][c] · factor, where the factor of element (first_row + r) · columns + c is 1 / (1 -
/// rate) or 0 (dropout_factors in nn/adapter.h).
struct DropoutCall {
  Dropout dropout;
  uint64_t term = 0;
  int64_t first_row = 0;
  const float* x = nullptr;
  int64_t x_stride = 0;
  int64_t rows = 0, columns = 0;
  float* out = nullptr;
  int64_t out_stride = 0;
  bool accumulate = false;
};

/// out = magnitude / norms · (out - bias) + bias, element by element, [rows, outputs]; `direction` (unless
/// null) gets out - bias.
struct MagnitudeCall {
  const float* magnitude = nullptr;  // [outputs]
  const float* norms = nullptr;      // [outputs]
  const float* bias = nullptr;       // [outputs], or null
  float* out = nullptr;
  int64_t out_stride = 0;
  int64_t rows = 0, outputs = 0;
  float* direction = nullptr;  // [rows, outputs]
};

/// magnitude_gradient (unless null) += Σ_r gradient · direction / norms; gradient *= magnitude / norms.
struct MagnitudeBackwardCall {
  const float* magnitude = nullptr;
  const float* norms = nullptr;
  const float* direction = nullptr;
  float* gradient = nullptr;  // [rows, outputs], in place
  int64_t gradient_stride = 0;
  int64_t rows = 0, outputs = 0;
  float* magnitude_gradient = nullptr;
};

/// out[i] = a · x[i] + b · y[i]. out may be x or y.
struct CombineCall {
  float* out = nullptr;
  float a = 1;
  const float* x = nullptr;
  float b = 1;
  const float* y = nullptr;
  int64_t count = 0;
};

/// A device's float32 values, end to end.
struct FloatArray {
  const float* values = nullptr;
  int64_t count = 0;
};

/// One of Adam's moments, [count] of the tensor: in float32, or in 8 bits (scales not null): blocks of kMomentBlock
/// values in the dynamic code (tensor/dynamic_code.h; signed for the mean, unsigned for the square), each with its
/// largest magnitude as scale. Source: Dettmers et al., 8-bit Optimizers via Block-wise Quantization (2021).
inline constexpr int64_t kMomentBlock = 256;
struct AdamMoment {
  float* values = nullptr;
  uint8_t* codes = nullptr;
  float* scales = nullptr;  // one for each block
};

/// A trained tensor with what an optimiser keeps of it.
struct AdamTensor {
  float* values = nullptr;  // [count]
  const float* gradient = nullptr;
  AdamMoment mean, square;
  int64_t count = 0;
  float learning_rate = 0;
  float decay = 0;  // values are multiplied by 1 - learning_rate · decay first
};

/// One step of AdamW (Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019) on all tensors. The moments
/// are not corrected for their start at zero; the corrections come in as factors.
struct AdamCall {
  std::span<const AdamTensor> tensors;
  float beta1 = 0.9F, beta2 = 0.999F;
  float epsilon = 1e-8F;
  float correction1 = 1;      // 1 / (1 - beta1^step)
  float correction2 = 1;      // 1 / (1 - beta2^step)
  float gradient_factor = 1;  // gradients are multiplied by this first (clipping)
};

/// log_probs[r] = logits[r][targets[r]] / T - log Σ exp(logits[r] / T), the sum over the tokens of the distribution. Where
/// coefficients are given, the logits become coefficients[r] / T · (one-hot(targets[r]) - softmax(logits[r] / T)), 0 for
/// tokens outside of the distribution: the gradient of Σ coefficients · log_probs.
struct LogProbsCall {
  float* logits = nullptr;  // [rows, vocabulary]
  int64_t rows = 0, vocabulary = 0;
  std::span<const int32_t> targets;
  float temperature = 1;
  int64_t known = 0;  // tokens [0, known) are in the distribution
  std::span<const std::span<const int32_t>>
      kept;  // [rows], or empty: in row r these tokens alone; an empty one: all known
  std::span<const float> coefficients;  // empty: not wanted
  std::span<float> log_probs;           // the host's: complete when the call returns
};

}  // namespace r1
