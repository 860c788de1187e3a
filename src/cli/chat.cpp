#include "cli/chat.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "cli/answer_printer.h"
#include "cli/interrupt.h"
#include "cli/line_editor.h"
#include "cli/model_location.h"
#include "cli/terminal_text.h"
#include "cli/text_file.h"
#include "formats/output_file.h"

namespace r1::cli {
namespace {

/// A number for a sampling value set by hand; throws Error naming it.
template <typename Number>
Number parse_number(const std::string& name, const std::string& text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || read != end) {
    throw_error(ErrorKind::invalid_argument, "/set {}: expected {}, found '{}'", name,
                std::is_unsigned_v<Number> ? "a number of at least 0" : "a number", text);
  }
  return value;
}

class Chat {
 public:
  Chat(Session& session, ChatOptions options)
      : session_(session),
        options_(std::move(options)),
        conversation_(session.text(), options_.system_prompt) {}

  void run() {
    const InterruptGuard guard;
    LineEditor editor(default_model_cache().root() / "history");
    fmt::print("{} · {} tokens of context · /help lists commands, Ctrl-C stops an answer, Ctrl-D leaves\n\n",
               terminal_text(session_.text().info().name.empty() ? session_.text().info().architecture
                                                                 : session_.text().info().name),
               session_.engine().options().context_length);
    std::string line;
    bool warned = false;
    while (!leaving_) {
      const LineEditor::Result result = editor.read("> ", line);
      if (result == LineEditor::Result::end) break;
      if (result == LineEditor::Result::interrupted) {
        if (warned) break;
        warned = true;
        fmt::print("(Ctrl-C again or Ctrl-D to leave)\n");
        continue;
      }
      warned = false;
      if (line.empty()) continue;
      try {
        if (line.front() == '/') {
          command(line);
        } else {
          ask(line);
        }
      } catch (const Error& error) {
        fmt::print(stderr, "r1: {}\n", terminal_text(error.what()));
      }
    }
  }

 private:
  void ask(const std::string& text) {
    conversation_.add_user(text);
    try {
      answer();
    } catch (const Error&) {
      std::string ignored;
      conversation_.take_back(ignored);
      throw;
    }
  }

  void answer() {
    InterruptGuard::clear();
    const bool colour = isatty(STDOUT_FILENO) != 0;
    AnswerPrinter printer(colour, false, options_.hide_thinking);
    const std::vector<int32_t> prompt = session_.text().encode(conversation_.prompt(options_.thinking));
    const Generation generated =
        session_.generate(prompt, options_.generation,
                          [&](TextKind kind, std::string_view text) { printer.print(kind, text); });
    printer.finish();
    InterruptGuard::clear();
    conversation_.add_assistant(generated.answer);
    // The next question of the same chat draws anew, but a chat can be repeated from its first seed.
    ++options_.generation.sampling.seed;
    fmt::print("{}{}{}\n\n", colour ? "\033[2m" : "", describe(generated), colour ? "\033[0m" : "");
  }

  void command(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string name = line.substr(1, space == std::string::npos ? std::string::npos : space - 1);
    const std::string rest =
        space == std::string::npos ? "" : line.substr(line.find_first_not_of(' ', space));
    if (name == "help" || name == "?") {
      help();
    } else if (name == "exit" || name == "quit" || name == "bye") {
      leaving_ = true;
    } else if (name == "clear" || name == "new") {
      conversation_.clear();
      fmt::print("a new conversation\n");
    } else if (name == "again" || name == "regenerate") {
      std::string user;
      if (!conversation_.take_back(user))
        throw_error(ErrorKind::invalid_argument, "/again: nothing was asked yet");
      ask(user);
    } else if (name == "undo") {
      std::string user;
      if (!conversation_.take_back(user))
        throw_error(ErrorKind::invalid_argument, "/undo: nothing was asked yet");
      fmt::print("taken back: {}\n", user);
    } else if (name == "think") {
      set_thinking(rest);
    } else if (name == "system") {
      conversation_.set_system(rest);
      fmt::print("{}\n", rest.empty() ? "no system prompt" : "system prompt set");
    } else if (name == "set") {
      set(rest);
    } else if (name == "file") {
      ask_about_file(rest);
    } else if (name == "save") {
      save(rest);
    } else if (name == "load") {
      load(rest);
    } else {
      throw_error(ErrorKind::invalid_argument, "/{}: no such command; /help lists them", name);
    }
  }

  static void help() {
    fmt::print(
        "  /again             answer the last question again     /undo        take the last exchange back\n"
        "  /new               forget the conversation            /exit        leave (Ctrl-D)\n"
        "  /think on|off|hide|show                               whether to think, and to show it\n"
        "  /set NAME VALUE    temperature top_p top_k min_p seed budget max_tokens (no name: show them)\n"
        "  /system TEXT       system prompt; R1 is meant to have none\n"
        "  /file PATH QUESTION   ask about a text file, in the official file prompt\n"
        "  /save PATH, /load PATH   the conversation as JSON\n"
        "  A line that ends in \\ goes on; \"\"\" begins and ends a text of several lines.\n");
  }

  void set_thinking(const std::string& value) {
    if (value == "on") {
      options_.thinking = Thinking::forced;
    } else if (value == "off") {
      options_.thinking = Thinking::off;
    } else if (value == "hide" || value == "show") {
      options_.hide_thinking = value == "hide";
    } else {
      throw_error(ErrorKind::invalid_argument, "/think: expected on, off, hide or show, found '{}'", value);
    }
    fmt::print("thinking {}\n", value);
  }

  void set(const std::string& text) {
    GenerationOptions& generation = options_.generation;
    SamplingOptions sampling = generation.sampling;
    const size_t space = text.find(' ');
    const std::string name = text.substr(0, space);
    if (!name.empty()) {
      const std::string value = space == std::string::npos ? "" : text.substr(space + 1);
      if (name == "temperature" || name == "temp") {
        sampling.temperature = parse_number<float>(name, value);
      } else if (name == "top_p") {
        sampling.top_p = parse_number<float>(name, value);
      } else if (name == "top_k") {
        sampling.top_k = parse_number<int32_t>(name, value);
      } else if (name == "min_p") {
        sampling.min_p = parse_number<float>(name, value);
      } else if (name == "seed") {
        sampling.seed = parse_number<uint64_t>(name, value);
      } else if (name == "budget") {
        generation.thinking_budget = parse_number<int64_t>(name, value);
      } else if (name == "max_tokens") {
        generation.max_tokens = parse_number<int64_t>(name, value);
      } else {
        throw_error(ErrorKind::invalid_argument,
                    "/set: expected temperature, top_p, top_k, min_p, seed, budget or max_tokens, found '{}'",
                    name);
      }
      validate(sampling, session_.text().info().vocabulary);
      generation.sampling = sampling;
    }
    fmt::print("temperature {}, top_p {}, top_k {}, min_p {}, seed {}, budget {}, max_tokens {}\n",
               sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p, sampling.seed,
               generation.thinking_budget, generation.max_tokens);
  }

  /// The file prompt that the release publishes.
  void ask_about_file(const std::string& text) {
    const size_t space = text.find(' ');
    if (space == std::string::npos) throw_error(ErrorKind::invalid_argument, "/file: expected PATH QUESTION");
    const std::filesystem::path path = text.substr(0, space);
    const std::string content = read_text_file(path);
    ask(fmt::format("[file name]: {}\n[file content begin]\n{}\n[file content end]\n{}",
                    path.filename().string(), content, text.substr(space + 1)));
  }

  void save(const std::string& path) {
    OutputFile out(path);  // whole or not at all: there may be an earlier one
    out.write(conversation_.to_json().dump(2) + '\n');
    out.finish();
    fmt::print("saved {}\n", path);
  }

  void load(const std::string& path) {
    const std::string text = read_text_file(path);
    try {
      conversation_.load(nlohmann::ordered_json::parse(text));
    } catch (const nlohmann::json::exception& error) {
      throw_error(ErrorKind::bad_file, "{}: {}", path, error.what());
    }
    fmt::print("{} messages\n", conversation_.to_json().size());
  }

  Session& session_;
  ChatOptions options_;
  Conversation conversation_;
  bool leaving_ = false;
};

}  // namespace

void run_chat(Session& session, ChatOptions options) {
  Chat(session, std::move(options)).run();
}

}  // namespace r1::cli
