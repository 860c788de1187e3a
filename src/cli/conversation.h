// The messages of a chat and how they become a prompt.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/text_model.h"

namespace r1::cli {

enum class Thinking {
  forced,  // the answer begins inside <think>, as published for R1
  off,     // a closed, empty thinking block stands before the answer
};

class Conversation {
 public:
  /// Throws Error when the model has no chat template. `model` must outlive it.
  Conversation(const TextModel& model, std::string system_prompt);

  void add_user(const std::string& text);
  /// The answer without its thinking: the template drops earlier thinking anyway.
  void add_assistant(const std::string& text);
  /// Takes the last exchange back; false when there is none. `user`: what the user had said.
  bool take_back(std::string& user);
  void clear();
  void set_system(std::string text);
  bool empty() const { return messages_.empty(); }

  /// The messages in the OpenAI form. load() throws Error that names what is wrong and changes nothing then.
  nlohmann::ordered_json to_json() const;
  void load(const nlohmann::ordered_json& messages);

  /// The messages rendered by the model's own template, ready for the next answer.
  std::string prompt(Thinking thinking) const;

 private:
  const TextModel& model_;
  std::string system_prompt_;
  std::vector<ChatMessage> messages_;
};

}  // namespace r1::cli
