// The chat on a terminal: questions, answers, and / commands.
#pragma once

#include <string>

#include "cli/conversation.h"
#include "cli/session.h"

namespace r1::cli {

struct ChatOptions {
  GenerationOptions generation;
  std::string system_prompt;
  Thinking thinking = Thinking::forced;
  bool hide_thinking = false;
};

/// Runs until the user leaves. Ctrl-C stops an answer, not the program. Errors of one question (a context
/// that is full, say) are shown and the chat goes on.
void run_chat(Session& session, ChatOptions options);

}  // namespace r1::cli
