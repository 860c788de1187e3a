#include "cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "cli/nearest_word.h"
#include "cli/terminal_text.h"

namespace r1::cli {

Check::Check(CLI::Validator validator)
    : validator_(std::make_shared<const CLI::Validator>(std::move(validator))) {}
Check::Check(std::function<std::string(const std::string&)> problem, std::string what)
    : Check(CLI::Validator([problem = std::move(problem)](std::string& text) { return problem(text); },
                           std::move(what))) {}

Check in_range(int64_t least, int64_t most) {
  return Check(CLI::Range(least, most));
}
Check in_range(int least, int most) {
  return Check(CLI::Range(least, most));
}
Check in_range(double least, double most) {
  return Check(CLI::Range(least, most));
}
Check not_negative() {
  return Check(CLI::NonNegativeNumber);
}
Check one_of(std::vector<std::string> words) {
  return Check(CLI::IsMember(std::move(words)));
}
Check one_of_any_case(std::vector<std::string> words) {
  return Check(CLI::IsMember(std::move(words), CLI::ignore_case));
}
Check existing_file() {
  return Check(CLI::ExistingFile);
}
Check existing_directory() {
  return Check(CLI::ExistingDirectory);
}
Check existing_path() {
  return Check(CLI::ExistingPath);
}

Option Option::check(const Check& check) const {
  return Option(option_->check(check.validator()));
}
Option Option::required() const {
  return Option(option_->required());
}
Option Option::delimiter(char separator) const {
  return Option(option_->delimiter(separator));
}
Option Option::expected(int least, int most) const {
  return Option(option_->expected(least, most));
}
Option Option::allow_extra_args(bool allowed) const {
  return Option(option_->allow_extra_args(allowed));
}
Option Option::group(const std::string& name) const {
  return Option(option_->group(name));
}
Option Option::default_str(const std::string& text) const {
  return Option(option_->default_str(text));
}
Option Option::capture_default_str() const {
  return Option(option_->capture_default_str());
}
size_t Option::count() const {
  return option_->count();
}

Command Command::add_subcommand(const std::string& name, const std::string& help) const {
  return Command(app_->add_subcommand(name, help));
}
void Command::require_subcommand(int count) const {
  app_->require_subcommand(count);
}
bool Command::has_subcommand_given() const {
  return !app_->get_subcommands().empty();
}
void Command::callback(std::function<void()> body) const {
  app_->callback(std::move(body));
}
void Command::group(const std::string& name) const {
  app_->group(name);
}

template <class Value>
Option Command::add_option(const std::string& names, Value& value, const std::string& help) const {
  return Option(app_->add_option(names, value, help));
}
Option Command::add_flag(const std::string& names, bool& value, const std::string& help) const {
  return Option(app_->add_flag(names, value, help));
}
template <class Value>
Option Command::add_option_function(const std::string& names, std::function<void(const Value&)> take,
                                    const std::string& help) const {
  return Option(app_->add_option_function<Value>(names, take, help));
}
Option Command::add_flag_function(const std::string& names, std::function<void(int64_t)> take,
                                  const std::string& help) const {
  return Option(app_->add_flag_function(names, std::move(take), help));
}
Option Command::add_flag_callback(const std::string& names, std::function<void()> take,
                                  const std::string& help) const {
  return Option(app_->add_flag_callback(names, std::move(take), help));
}
size_t Command::count(const std::string& name) const {
  return app_->count(name);
}

template Option Command::add_option(const std::string&, int&, const std::string&) const;
template Option Command::add_option(const std::string&, int64_t&, const std::string&) const;
template Option Command::add_option(const std::string&, uint64_t&, const std::string&) const;
template Option Command::add_option(const std::string&, float&, const std::string&) const;
template Option Command::add_option(const std::string&, double&, const std::string&) const;
template Option Command::add_option(const std::string&, std::string&, const std::string&) const;
template Option Command::add_option(const std::string&, std::vector<int>&, const std::string&) const;
template Option Command::add_option(const std::string&, std::vector<int64_t>&, const std::string&) const;
template Option Command::add_option(const std::string&, std::vector<std::string>&, const std::string&) const;
template Option Command::add_option_function(const std::string&, std::function<void(const int&)>,
                                             const std::string&) const;
template Option Command::add_option_function(const std::string&, std::function<void(const int64_t&)>,
                                             const std::string&) const;
template Option Command::add_option_function(const std::string&, std::function<void(const std::string&)>,
                                             const std::string&) const;

void fail_option(const std::string& name, const std::string& reason) {
  throw CLI::ValidationError(name, reason);
}

namespace {

/// "; did you mean X?", or nothing where no known word is near.
std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  const std::string nearest = nearest_word(word, known);
  return nearest.empty() ? "" : "; did you mean " + nearest + "?";
}

/// The first words of a command line name commands; what is wrong with the one that names none, or nothing.
std::string unknown_command(const CLI::App& root, const std::vector<std::string>& arguments) {
  const CLI::App* app = &root;
  std::string path = root.get_name();
  for (const std::string& word : arguments) {
    if (word.empty() || word.front() == '-' || app->get_require_subcommand_min() == 0) break;
    const auto named = app->get_subcommands([&](const CLI::App* one) { return one->check_name(word); });
    if (named.empty()) {
      std::vector<std::string> known;
      for (const CLI::App* one : app->get_subcommands([](const CLI::App*) { return true; })) {
        if (!one->get_group().empty()) known.push_back(one->get_name());
      }
      const std::string text = fmt::format("{} has no command '{}'", path, word);
      if (app == &root && std::filesystem::exists(word))
        return fmt::format("{}; to run that model: r1 run {}", text, word);
      return fmt::format("{}{} ({} --help lists them)", text, suggestion(word, known), path);
    }
    path.append(" ").append(word);
    app = named.front();
  }
  return "";
}

/// What is wrong where an argument was left over; nothing where it is no option.
std::string unknown_option(const CLI::App& root) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  for (const std::string& word : root.remaining(true)) {
    if (!word.starts_with("--")) continue;
    const std::string name = word.substr(0, word.find('='));
    std::vector<std::string> known;
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_group().empty()) continue;
      for (const std::string& one : option->get_lnames()) known.push_back("--" + one);
    }
    return "r1 " + app->get_name() + " has no option " + name + suggestion(name, known);
  }
  return "";
}

bool fail_usage(const std::string& text) {
  std::fprintf(stderr, "r1: %s\n", terminal_text(text).c_str());
  return false;
}

}  // namespace

Program::Program(const std::string& help, const std::string& name, const std::string& version)
    : app_(std::make_unique<CLI::App>(help, name)) {
  app_->set_version_flag("--version", version);
  app_->require_subcommand(1);
  app_->option_defaults()->always_capture_default(true);
  app_->get_formatter()->column_width(44);
}
Program::~Program() = default;

Command Program::root() {
  return Command(app_.get());
}

bool Program::run(std::vector<std::string> arguments) {
  if (const std::string problem = unknown_command(*app_, arguments); !problem.empty())
    return fail_usage(problem);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them last first
  try {
    app_->parse(std::move(arguments));
    return true;
  } catch (const CLI::ExtrasError& error) {
    const std::string problem = unknown_option(*app_);
    return problem.empty() ? app_->exit(error) == 0 : fail_usage(problem);
  } catch (const CLI::ParseError& error) {
    return app_->exit(error) == 0;  // --help and --version are thrown as well
  }
}

}  // namespace r1::cli
