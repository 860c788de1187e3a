#include "engine/text_model.h"

#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "grammar/constraint.h"
#include "model/low_rank_adapter.h"
#include "text/thinking_prompt.h"

namespace r1 {
namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw_error(ErrorKind::io, "{}: cannot read", path.string());
  return text.str();
}

}  // namespace

struct TextModel::Lazy {
  std::once_flag once;
  std::shared_ptr<const grammar::TokenTrie> trie;
};

TextModel TextModel::load(const std::filesystem::path& path, const ModelLoadOptions& options) {
  std::shared_ptr<const ModelFile> file = ModelFile::open(path, options.overrides);
  Vocabulary vocabulary = load_vocabulary(*file);
  if (options.remark) {
    for (const std::string& remark : vocabulary.remarks) options.remark(remark);
  }
  std::shared_ptr<const Model> model = load_model(file, options);
  return {std::move(model), std::move(vocabulary), std::move(file)};
}

TextModel::TextModel(std::shared_ptr<const Model> model, Vocabulary vocabulary,
                     std::shared_ptr<const ModelFile> file)
    : file_(std::move(file)),
      model_(std::move(model)),
      vocabulary_(std::move(vocabulary)),
      templates_(read_templates(vocabulary_.chat_template)),
      lazy_(std::make_shared<Lazy>()) {
  const Tokenizer& tokenizer = vocabulary_.tokenizer;
  open_think_ = tokenizer.find_special("<think>").value_or(-1);
  close_think_ = tokenizer.find_special("</think>").value_or(-1);
  if (can_think()) {
    closing_ = tokenizer.encode("\n", false);
    closing_.push_back(close_think_);
    tokenizer.encode("\n\n", false, closing_);
  }
  for (StreamMarker* marker :
       {&parser_options_.think_begin, &parser_options_.think_end, &parser_options_.calls_begin,
        &parser_options_.call_begin, &parser_options_.call_separator, &parser_options_.call_end,
        &parser_options_.calls_end, &parser_options_.json_call_begin, &parser_options_.json_call_end}) {
    marker->id = tokenizer.find_special(marker->text);
  }
  for (const std::string_view turn : turn_markers()) {
    if (const auto id = tokenizer.find_special(std::string(turn))) turns_.push_back(*id);
  }
}

TextModel::Templates TextModel::read_templates(const std::string& text) const {
  Templates templates;
  if (text.empty()) return templates;
  const auto text_of = [&](std::optional<int32_t> token) {
    return token ? std::string(tokenizer().token_text(*token)) : std::string();
  };
  templates.chat.emplace(text, text_of(vocabulary_.bos), text_of(vocabulary_.eos));
  if (templates.chat->is_r1_family()) templates.tools.emplace(templates.chat->for_tools());
  return templates;
}

void TextModel::add_adapter(const std::string& name, const std::filesystem::path& path) {
  if (!file_) throw_error(ErrorKind::invalid_argument, "adapter {}: the model is not from a file", name);
  const std::shared_ptr<LowRankAdapter> adapter = LowRankAdapter::open(path, *file_);
  const auto& added = adapters_[name] = std::shared_ptr<const Adapter>(adapter, &adapter->adapter());
  // A GGUF file may be in the adapter's directory, or anywhere.
  const std::filesystem::path folder = std::filesystem::is_directory(path) ? path : path.parent_path();
  const std::filesystem::path own = folder / "chat_template.jinja";
  if (std::filesystem::exists(own) && std::filesystem::exists(folder / "adapter_config.json"))
    adapter_templates_[added.get()] = read_templates(read_text(own));
}

void TextModel::take_template_of(const std::string& name) {
  const auto own = adapter_templates_.find(adapter(name));
  if (own == adapter_templates_.end()) return;
  templates_ = std::move(own->second);
  adapter_templates_.erase(own);
}

const TextModel::Templates& TextModel::templates_of(const Adapter* adapter) const {
  const auto own = adapter_templates_.find(adapter);
  return own == adapter_templates_.end() ? templates_ : own->second;
}

const ChatTemplate* TextModel::chat_template(const Adapter* adapter) const {
  const Templates& templates = templates_of(adapter);
  return templates.chat ? &*templates.chat : nullptr;
}

const Adapter* TextModel::adapter(const std::string& name) const {
  const auto found = adapters_.find(name);
  return found == adapters_.end() ? nullptr : found->second.get();
}

const ChatTemplate* TextModel::tool_template(const Adapter* adapter) const {
  const Templates& templates = templates_of(adapter);
  if (templates.tools) return &*templates.tools;
  return templates.chat && templates.chat->shows_tools() ? &*templates.chat : nullptr;
}

std::shared_ptr<const grammar::TokenTrie> TextModel::token_trie() const {
  std::call_once(lazy_->once, [this] {
    lazy_->trie =
        std::make_shared<grammar::TokenTrie>(tokenizer(), info().vocabulary, vocabulary_.end_of_generation);
  });
  return lazy_->trie;
}

std::vector<int32_t> TextModel::encode(const std::string& text) const {
  std::vector<int32_t> tokens = tokenizer().encode(text, true);
  if (tokenizer().add_bos() && vocabulary_.bos && (tokens.empty() || tokens.front() != *vocabulary_.bos)) {
    tokens.insert(tokens.begin(), *vocabulary_.bos);
  }
  return tokens;
}

std::string TextModel::chat_prompt(const std::vector<ChatMessage>& messages, bool think) const {
  const ChatTemplate* used = chat_template();
  if (used == nullptr) throw_error(ErrorKind::unsupported, "this model has no chat template");
  ChatRequest request;
  request.messages = messages;
  // Qwen3's name for it, and DeepSeek-V3.1's.
  request.variables = nlohmann::ordered_json{{"enable_thinking", think}, {"thinking", think}};
  std::string text = used->render_conversation(std::move(request));
  if (!can_think() || !used->is_r1_family()) return text;
  begin_thinking(text, think);
  return text;
}

StreamStart TextModel::start_of(std::span<const int32_t> prompt) const {
  if (!can_think()) return {};
  // With anything behind <think>, the line break of the markup is in the prompt.
  const bool newline_given = !prompt.empty() && prompt.back() != open_think_;
  return initial_state(prompt, open_think_, close_think_, turns_, newline_given);
}

Request TextModel::request(std::vector<int32_t> prompt, const GenerationOptions& options,
                           const Adapter* adapter) const {
  if (options.thinking_budget >= 0 && !can_think()) {
    throw_error(ErrorKind::invalid_argument,
                "thinking budget: this model's vocabulary has no <think> and </think>");
  }
  Request request;
  request.sampling = options.sampling;
  request.max_tokens = options.max_tokens;
  request.stop_tokens = options.stop_tokens;
  if (!options.ignore_eos) {
    const std::vector<int32_t>& ends = vocabulary_.end_of_generation;
    request.stop_tokens.insert(request.stop_tokens.end(), ends.begin(), ends.end());
  }
  request.speculation = options.lookup;
  request.loop_detection = options.loop_detection;
  request.priority = options.priority;
  request.owner = options.owner;
  request.adapter = adapter;
  ThinkingOptions& thinking = request.thinking;
  if (can_think() && options.split) {
    thinking.starts_inside = start_of(prompt).state == StreamState::reasoning;
    thinking.open_token = open_think_;
    thinking.close_token = close_think_;
    thinking.closing = closing_;
    thinking.budget = options.thinking_budget;
    thinking.answer_reserve = options.answer_reserve;
  }
  if (options.constraint) {
    const grammar::ThinkingTokens tokens{thinking.starts_inside, thinking.open_token, thinking.close_token};
    auto state = std::make_shared<grammar::Constraint>(options.constraint, token_trie(), tokens);
    request.constraint = [state](std::span<const int32_t> generated) { return state->allowed(generated); };
  }
  request.prompt = std::move(prompt);
  return request;
}

}  // namespace r1
