// r1 run: answers a prompt, or opens a chat.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>

#include "base/error.h"
#include "cli/answer_printer.h"
#include "cli/chat.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/session.h"
#include "cli/shipped_model.h"
#include "cli/text_file.h"

namespace r1::cli {
namespace {

struct RunOptions {
  std::string model, positional_model;
  std::string prompt, prompt_file, system_prompt;
  bool no_conversation = false;
  bool conversation = false;
  bool no_thinking = false;
  bool hide_thinking = false;
  bool hide_prompt = false;
  bool escapes = false;
  bool quiet = false;
  int64_t context_length = 0;
  double expert_cache_gib = 0;
  std::string adapter;
  RuntimeOptions runtime;
  GenerationOptions generation;
  bool seed_given = false;
};

/// \n, \r, \t, \", \', \\ as in C; anything else stays as it is.
std::string unescape(const std::string& text) {
  static constexpr std::string_view kCodes = "nrt\"'\\", kValues = "\n\r\t\"'\\";
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t code =
        text[i] == '\\' && i + 1 < text.size() ? kCodes.find(text[i + 1]) : std::string_view::npos;
    if (code == std::string_view::npos) {
      out += text[i];
    } else {
      out += kValues[code];
      ++i;
    }
  }
  return out;
}

/// The prompt from -p, -f or standard input; nothing when there is none.
std::optional<std::string> read_prompt(const RunOptions& options, bool prompt_given) {
  std::optional<std::string> prompt;
  if (!options.prompt_file.empty()) {
    if (prompt_given) throw_error(ErrorKind::invalid_argument, "expected one prompt, found both -p and -f");
    prompt = read_text_file(options.prompt_file);
  } else if (prompt_given) {
    prompt = options.prompt;
  } else if (isatty(STDIN_FILENO) == 0) {
    prompt = read_all(std::cin, "standard input");
    if (prompt->empty()) return std::nullopt;
  }
  // The newline that ends a file and the mark that may begin it are not part of the question.
  if (prompt && !prompt_given) {
    if (prompt->starts_with("\xef\xbb\xbf")) prompt->erase(0, 3);
    if (prompt->ends_with('\n')) prompt->pop_back();
    if (prompt->ends_with('\r')) prompt->pop_back();
  }
  if (prompt && options.escapes) prompt = unescape(*prompt);
  return prompt;
}

void warn_about_settings(const RunOptions& options, const Session& session) {
  if (session.text().can_think() && options.generation.sampling.temperature == 0) {
    fmt::print(stderr,
               "r1: temperature 0: R1 models tend to repeat themselves without end when decoded greedily; "
               "0.5 to 0.7 is recommended\n");
  }
}

void answer_once(Session& session, const RunOptions& options, const std::string& prompt, bool raw) {
  std::string text = prompt;
  if (!raw) {
    Conversation conversation(session.text(), options.system_prompt);
    conversation.add_user(prompt);
    text = conversation.prompt(options.no_thinking ? Thinking::off : Thinking::forced);
  }
  const std::vector<int32_t> tokens = session.text().encode(text);
  if (tokens.empty()) throw_error(ErrorKind::invalid_argument, "prompt: expected text, found none");
  const InterruptGuard guard;
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  AnswerPrinter printer(terminal, !terminal && !raw, options.hide_thinking);
  const auto show_prompt = [&] {
    if (!raw || options.hide_prompt) return;
    fmt::print("{}", prompt);
    std::fflush(stdout);
  };
  const Generation generated = session.generate(
      tokens, options.generation, [&](TextKind kind, std::string_view piece) { printer.print(kind, piece); },
      show_prompt);
  printer.finish();
  if (!options.quiet) fmt::print(stderr, "{}\n", describe(generated));
}

void run(RunOptions& options, bool prompt_given) {
  if (!options.model.empty() && !options.positional_model.empty()) {
    throw_error(ErrorKind::invalid_argument, "expected one model, found '{}' and -m '{}'",
                options.positional_model, options.model);
  }
  if (options.model.empty()) options.model = options.positional_model;
  const bool shipped = options.model.empty();
  if (shipped) options.model = locate_shipped_model("r1 run MODEL").string();
  if (options.conversation && options.no_conversation)
    throw_error(ErrorKind::invalid_argument, "expected one of -cnv and -no-cnv, found both");
  if (options.no_conversation && !options.system_prompt.empty())
    throw_error(ErrorKind::invalid_argument,
                "--system-prompt: -no-cnv takes the prompt as it is, without a system prompt");
  if (options.no_conversation && options.no_thinking)
    throw_error(ErrorKind::invalid_argument,
                "--no-think: -no-cnv takes the prompt as it is; the prompt decides");
  if (!options.seed_given) options.generation.sampling.seed = random_seed();
  const std::optional<std::string> prompt = read_prompt(options, prompt_given);
  if (shipped && !options.quiet && (prompt || isatty(STDIN_FILENO) != 0))
    fmt::print(stderr, "r1: {}\n", kShippedModelRemark);
  Session session(options.model, options.runtime, options.context_length,
                  static_cast<size_t>(options.expert_cache_gib * (1U << 30U)), options.adapter);
  validate(options.generation.sampling, session.text().info().vocabulary);
  warn_about_settings(options, session);
  const bool has_template = session.text().chat_template() != nullptr;
  const bool raw = options.no_conversation || (!has_template && !options.conversation);
  if (raw && !options.no_conversation) {
    fmt::print(stderr, "r1: this model has no chat template: it continues the text as it is\n");
  }
  if (prompt || raw) {
    answer_once(session, options, prompt.value_or(""), raw);
  } else if (isatty(STDIN_FILENO) != 0) {
    run_chat(session, {options.generation, options.system_prompt,
                       options.no_thinking ? Thinking::off : Thinking::forced, options.hide_thinking});
  } else {
    throw_error(ErrorKind::invalid_argument, "no prompt: give one with -p or -f, or on standard input");
  }
}

}  // namespace

void add_run_command(Command app) {
  auto options = std::make_shared<RunOptions>();
  Command command = app.add_subcommand("run", "Chat with a model, or answer one prompt");
  command->add_option("model", options->positional_model,
                      "GGUF file, hub directory or pulled model; none: the small one that ships with r1");
  command->add_option("-m,--model", options->model, "the same, as an option");
  Option prompt =
      command->add_option("-p,--prompt", options->prompt, "question (or, with -no-cnv, text to continue)");
  command->add_option("-f,--file", options->prompt_file, "file with the prompt");
  command->add_option("--system-prompt", options->system_prompt,
                      "system prompt (-sys); R1 is meant to have none");
  command->add_flag("--no-conversation", options->no_conversation,
                    "take the prompt as it is, without chat template (-no-cnv)");
  command->add_flag("--conversation", options->conversation, "insist on the chat template (-cnv)");
  command->add_flag("--no-think", options->no_thinking, "answer without thinking");
  command->add_flag("--hide-thinking", options->hide_thinking, "think, but do not show it");
  command->add_flag("--no-display-prompt", options->hide_prompt, "with -no-cnv: print the continuation only");
  command->add_flag("-e,--escape", options->escapes, "read \\n, \\t … in the prompt as in C");
  command->add_flag("-q,--quiet", options->quiet, "no statistics at the end");
  command
      ->add_option("-c,--ctx-size,--max-model-len", options->context_length,
                   "tokens of context; 0: the model's")
      ->check(not_negative());
  command
      ->add_option("--adapter,--lora", options->adapter,
                   "LoRA adapter: a PEFT directory, or a GGUF file of a GGUF model")
      ->check(existing_path());
  command
      ->add_option("--expert-cache", options->expert_cache_gib,
                   "GiB for the most used experts of a mixture larger than memory")
      ->check(gibibytes());
  add_runtime_options(command, options->runtime);
  add_generation_options(command, options->generation, options->seed_given);
  command->callback([options, prompt] { run(*options, prompt->count() > 0); });
}

}  // namespace r1::cli
