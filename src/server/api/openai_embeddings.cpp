#include "server/api/openai_embeddings.h"

#include <atomic>
#include <cstring>
#include <memory>

#include "server/api/generation_fields.h"
#include "server/api/json_fields.h"

namespace r1::server {
namespace {

constexpr size_t kMaxInputs = 2048;  // OpenAI's

/// A text, tokens, or a list of either.
std::vector<std::vector<int32_t>> read_inputs(const ServedModel& model, const Json& input) {
  std::vector<std::vector<int32_t>> inputs;
  const auto add = [&](const Json& one, const std::string& where) {
    if (one.is_string()) {
      inputs.push_back(model.encode(one.get<std::string>()));
    } else if (one.is_array()) {
      inputs.push_back(read_token_ids(one, model.info().vocabulary, where));
    } else {
      refuse(where, "{}: expected a text or tokens, found {}", where, one.type_name());
    }
    if (inputs.back().empty()) refuse(where, "{}: expected a text, found an empty one", where);
    const auto tokens = std::ssize(inputs.back());
    if (tokens <= model.context_length()) return;
    ApiError error(400, where, "context_length_exceeded",
                   fmt::format("{}: {} tokens; the context holds {}", where, tokens, model.context_length()));
    error.extra = {{"n_prompt_tokens", tokens}, {"n_ctx", model.context_length()}};
    throw error;
  };
  const bool list = input.is_array() && !input.empty() && !input[0].is_number();
  if (!list) {
    add(input, "input");
    return inputs;
  }
  if (input.size() > kMaxInputs)
    refuse("input", "input: at most {} texts, found {}", kMaxInputs, input.size());
  for (size_t i = 0; i < input.size(); ++i) add(input[i], fmt::format("input[{}]", i));
  return inputs;
}

/// RFC 4648 of the floats' bytes, little-endian: what OpenAI's clients ask for.
std::string base64(const std::vector<float>& values) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t at) -> uint32_t {
      return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0;
    };
    const uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    text += kDigits[group >> 18];
    text += kDigits[group >> 12 & 63];
    text += i + 1 < bytes.size() ? kDigits[group >> 6 & 63] : '=';
    text += i + 2 < bytes.size() ? kDigits[group & 63] : '=';
  }
  return text;
}

void create_embeddings(ServerContext& context, const HttpRequest& request, ResponseSink& sink) {
  const Json body = parse_body(request.body);
  JsonFields fields(body, "", RequestObject::embedding);
  const auto model = context.models.choose(fields.text("model").value_or("")).model;
  const auto inputs = read_inputs(*model, fields.require("input"));
  const bool encoded = fields.choice("encoding_format", {"float", "base64"}).value_or("float") == "base64";
  if (const auto wanted = fields.integer("dimensions", 1); wanted && *wanted != model->info().hidden)
    refuse("dimensions", "dimensions: this model's vectors have {}", model->info().hidden);
  fields.refuse_unknown();
  const auto ticket = context.limiter.admit(request.key_name);
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  sink.on_abort([gone] { *gone = true; });
  Json data = Json::array();
  int64_t tokens = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    tokens += std::ssize(inputs[i]);
    if (ticket) ticket->count_prompt(std::ssize(inputs[i]));
    const std::vector<float> vector = model->embed(inputs[i], gone);
    if (*gone) return;  // nobody reads the answer
    data.push_back({{"object", "embedding"},
                    {"index", i},
                    {"embedding", encoded ? Json(base64(vector)) : Json(vector)}});
  }
  sink.respond(
      HttpResponse::json(200, to_text({{"object", "list"},
                                       {"data", std::move(data)},
                                       {"model", model->name()},
                                       {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}})));
}

}  // namespace

void add_embedding_routes(Router& router, ServerContext& context) {
  const Handler embed = [&context](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
    create_embeddings(context, request, *sink);
  };
  router.add({"POST", "/v1/embeddings", embed});
  router.add({"POST", "/embeddings", embed});
}

}  // namespace r1::server
