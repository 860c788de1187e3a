// From a branch of the chat site's conversation to what the model is asked.
#pragma once

#include <string>
#include <vector>

#include "server/content/conversation_store.h"
#include "server/content/prompts.h"
#include "server/models/completion.h"

namespace r1::server {

enum class ThinkingSwitch { switchable, always, never };
std::string_view name_of(ThinkingSwitch thinking);
/// By template and vocabulary. Models of the R1 family, and templates that look at `enable_thinking`, can be
/// switched.
ThinkingSwitch thinking_switch(bool can_think, std::string_view chat_template);
ThinkingSwitch thinking_switch(const ServedModel& model);

struct SiteQuestion {
  std::vector<site::Node> branch;         // ends in the question; may be empty (the context meter's)
  std::vector<site::SearchText> results;  // of the search
  std::chrono::year_month_day today;      // for the search prompt
  std::string system_prompt;              // empty: none
  bool deep_think = true;
  const site::Node* begun = nullptr;  // the answer to go on with; null: a new one
};

/// Prompt, start and thinking of the completion; `spec.model` must be set. Earlier reasoning is left out,
/// files are put into the official file template, results into the official search template. A model without
/// a chat template goes on with the texts, one below the other. `owner`: of the files.
void ask_model(site::ConversationStore& store, const std::string& owner, const SiteQuestion& question,
               int64_t thinking_budget, CompletionSpec& spec);

/// Tokens of the draft of a question, with its files in the file template.
int64_t draft_tokens(const ServedModel& model, const std::vector<site::PromptFile>& files,
                     const std::string& content);

}  // namespace r1::server
