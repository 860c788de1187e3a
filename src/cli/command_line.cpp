#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

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
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them last first
  try {
    app_->parse(std::move(arguments));
    return true;
  } catch (const CLI::ParseError& error) {
    return app_->exit(error) == 0;  // --help and --version are thrown as well
  }
}

}  // namespace r1::cli
