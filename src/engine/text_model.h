// A model with its text side: file, vocabulary, chat template, thinking tokens, adapters. What every program
// that generates text needs before it has an engine: the command line, the server, scores and training share
// it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/generation_options.h"
#include "formats/model_file.h"
#include "formats/vocabulary.h"
#include "grammar/token_trie.h"
#include "model/model.h"
#include "text/chat_template.h"
#include "text/stream_parser.h"

namespace r1 {

/// Const after its adapters were added; then safe to use from many threads at once.
class TextModel {
 public:
  /// Opens a file or hub directory. Throws Error.
  static TextModel load(const std::filesystem::path& path, const ModelLoadOptions& options);
  /// From parts. Throws JinjaError for a chat template that does not parse.
  TextModel(std::shared_ptr<const Model> model, Vocabulary vocabulary,
            std::shared_ptr<const ModelFile> file = nullptr);

  /// Opens an adapter of this model (a PEFT directory, or llama.cpp's GGUF file), to be asked for by name. The
  /// chat_template.jinja of its directory, where there is one, is what it was trained with. Throws Error, JinjaError.
  void add_adapter(const std::string& name, const std::filesystem::path& path);
  /// For who asks this adapter alone: its chat template becomes the model's.
  void take_template_of(const std::string& adapter);
  /// Null: there is none of that name.
  const Adapter* adapter(const std::string& name) const;

  const std::shared_ptr<const Model>& shared_model() const { return model_; }
  const Model& model() const { return *model_; }
  const ModelInfo& info() const { return model_->info(); }
  /// Null when made from parts.
  const ModelFile* file() const { return file_.get(); }
  const Vocabulary& vocabulary() const { return vocabulary_; }
  const Tokenizer& tokenizer() const { return vocabulary_.tokenizer; }
  /// The adapter's own, or else the model's. Null: the model has none.
  const ChatTemplate* chat_template(const Adapter* adapter = nullptr) const;
  /// The template that shows tools to the model; null: there is none.
  const ChatTemplate* tool_template(const Adapter* adapter = nullptr) const;

  /// Whether the vocabulary has <think> and </think> as tokens.
  bool can_think() const { return open_think_ >= 0 && close_think_ >= 0; }
  int32_t open_think() const { return open_think_; }    // -1: there is none
  int32_t close_think() const { return close_think_; }  // -1: there is none
  /// What closes an open thinking block: "\n</think>\n\n" as tokens; empty where can_think() is false.
  const std::vector<int32_t>& closing() const { return closing_; }
  /// The markers of thinking and tool calls with the ids of this vocabulary.
  const StreamParserOptions& parser_options() const { return parser_options_; }
  /// For constraints; made when first asked for.
  std::shared_ptr<const grammar::TokenTrie> token_trie() const;

  /// Tokens of a prompt: special tokens written in it count, BOS goes in front where the vocabulary wants
  /// one.
  std::vector<int32_t> encode(const std::string& text) const;
  /// The text that asks for the next answer: by the model's chat template and, with a template of the R1
  /// family, with an opened thinking block behind it (think) or an empty one. Throws Error(unsupported) where
  /// there is no template, JinjaError where the template refuses the messages.
  std::string chat_prompt(const std::vector<ChatMessage>& messages, bool think = true) const;
  /// Whether an answer to this prompt begins inside the thinking.
  StreamStart start_of(std::span<const int32_t> prompt) const;
  /// The engine's request; its callbacks are the caller's. A constraint gets a state of its own with each
  /// call. Throws Error(invalid_argument) for a thinking budget where the model cannot think.
  Request request(std::vector<int32_t> prompt, const GenerationOptions& options,
                  const Adapter* adapter = nullptr) const;

 private:
  struct Lazy;  // the trie
  struct Templates {
    std::optional<ChatTemplate> chat, tools;
  };
  Templates read_templates(const std::string& text) const;
  const Templates& templates_of(const Adapter* adapter) const;

  std::shared_ptr<const ModelFile> file_;
  std::shared_ptr<const Model> model_;
  Vocabulary vocabulary_;
  std::map<std::string, std::shared_ptr<const Adapter>> adapters_;
  Templates templates_;
  std::map<const Adapter*, Templates> adapter_templates_;
  int32_t open_think_ = -1, close_think_ = -1;
  std::vector<int32_t> closing_;
  std::vector<int32_t> turns_;  // tokens that begin or end a turn
  StreamParserOptions parser_options_;
  std::shared_ptr<Lazy> lazy_;
};

}  // namespace r1
