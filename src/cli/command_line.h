// Commands and options of the program. CLI11 stays behind this header: including it costs each file some six
// seconds of compiling.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
class Validator;
}  // namespace CLI

namespace r1::cli {

/// A condition on the text of an option's value. It appears in --help.
class Check {
 public:
  explicit Check(CLI::Validator validator);
  /// `problem` says what is wrong with a text, or returns an empty string. `what`: for --help ("GiB").
  Check(std::function<std::string(const std::string& text)> problem, std::string what);

  const CLI::Validator& validator() const { return *validator_; }

 private:
  std::shared_ptr<const CLI::Validator> validator_;
};

/// From `least` to `most`, both allowed.
Check in_range(int64_t least, int64_t most);
Check in_range(int least, int most);
Check in_range(double least, double most);
Check not_negative();
Check one_of(std::vector<std::string> words);
Check one_of_any_case(std::vector<std::string> words);
Check existing_file();
Check existing_directory();
Check existing_path();

/// A handle of an option, used like a pointer to it. The option belongs to its command.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  const Option* operator->() const { return this; }

  Option check(const Check& check) const;
  Option required() const;
  Option delimiter(char separator) const;             // "a,b" are two values
  Option expected(int least, int most) const;         // number of values
  Option allow_extra_args(bool allowed) const;        // of a list: whether one flag takes several values
  Option group(const std::string& name) const;        // heading in --help; "": not listed
  Option default_str(const std::string& text) const;  // what --help shows
  Option capture_default_str() const;
  size_t count() const;  // how often it was given

 private:
  CLI::Option* option_;
};

/// A handle of a command, used like a pointer to it. The command lives as long as its Program.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}
  const Command* operator->() const { return this; }

  Command add_subcommand(const std::string& name, const std::string& help) const;
  void require_subcommand(int count = 1) const;
  bool has_subcommand_given() const;
  /// Runs when the command line names this command.
  void callback(std::function<void()> body) const;
  void group(const std::string& name) const;  // heading in --help; "": not listed

  /// `names`: "-t,--threads", or "model" for a positional one. `value` is its default, must outlive the
  /// Program, and is one of the types that command_line.cpp lists.
  template <class Value>
  Option add_option(const std::string& names, Value& value, const std::string& help = "") const;
  Option add_flag(const std::string& names, bool& value, const std::string& help = "") const;
  /// `take` is called with the value of an option, with the number of a flag, or for a flag.
  template <class Value>
  Option add_option_function(const std::string& names, std::function<void(const Value& value)> take,
                             const std::string& help = "") const;
  Option add_flag_function(const std::string& names, std::function<void(int64_t count)> take,
                           const std::string& help = "") const;
  Option add_flag_callback(const std::string& names, std::function<void()> take,
                           const std::string& help = "") const;

  size_t count(const std::string& name) const;  // how often the option was given
  CLI::App& app() const { return *app_; }

 private:
  CLI::App* app_;
};

/// Ends parsing: "NAME: REASON", as for a value that fails a check.
[[noreturn]] void fail_option(const std::string& name, const std::string& reason);

/// The whole command line.
class Program {
 public:
  Program(const std::string& help, const std::string& name, const std::string& version);
  ~Program();
  Command root();
  /// Parses and runs the command's callback, whose exceptions pass through. False: the arguments were wrong;
  /// what is wrong was printed.
  bool run(std::vector<std::string> arguments);

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace r1::cli
