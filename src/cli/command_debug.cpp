// r1 debug: single parts of the program, for tests against references.
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "base/error.h"
#include "base/json_text.h"
#include "cli/commands.h"
#include "cli/model_location.h"
#include "cli/options.h"
#include "formats/model_file.h"
#include "formats/npy.h"
#include "formats/synth.h"
#include "formats/vocabulary.h"
#include "model/model.h"
#include "model/sequence_cache.h"
#include "tensor/codec.h"
#include "text/chat_template.h"
#include "text/jinja.h"
#include "text/tokenizer.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw_error(ErrorKind::io, "{}: cannot open", path.string());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Calls `work` with each non-empty line of standard input and prints the JSON it returns.
template <typename Work>
void for_each_line(const Work& work) {
  std::string line;
  for (int64_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.empty()) continue;
    nlohmann::ordered_json input;
    try {
      input = parse_json_text<nlohmann::ordered_json>(line);
    } catch (const nlohmann::json::exception& error) {
      throw_error(ErrorKind::invalid_argument, "standard input, line {}: {}", number, error.what());
    }
    if (!input.is_object())
      throw_error(ErrorKind::invalid_argument, "standard input, line {}: expected an object", number);
    const nlohmann::ordered_json output = work(input, number);
    fmt::print("{}\n", output.dump());
  }
}

struct LogitsOptions {
  std::string model, out;
  std::vector<int32_t> ids;
  bool exact = false;
  RuntimeOptions runtime;
};

void logits(const LogitsOptions& options) {
  const std::unique_ptr<Model> model =
      load_model(ModelFile::open(locate_model(options.model), options.runtime.overrides), load_options());
  ThreadPool pool(options.runtime.threads);
  Context context(pool, select_kernels(options.runtime),
                  options.exact ? Arithmetic::exact : Arithmetic::fast);
  const auto rows = static_cast<int64_t>(options.ids.size());
  const DType key = options.exact ? DType::f32 : cache_dtype(options.runtime.cache_type_k);
  const DType value = options.exact ? DType::f32 : cache_dtype(options.runtime.cache_type_v);
  SequenceCache sequence(*model, rows, key, value);
  std::vector<int32_t> outputs(rows);
  std::iota(outputs.begin(), outputs.end(), 0);
  const SequenceSlice slice = sequence.slice(rows, 0);
  std::vector<float> values(rows * model->info().vocabulary);
  model->forward(context, {options.ids, {&slice, 1}, outputs}, sequence.cache(), values.data());
  const int64_t shape[] = {rows, model->info().vocabulary};
  write_npy(options.out, shape, values);
}

Tokenizer open_tokenizer(const std::string& name) {
  const fs::path path = locate_model(name);
  if (path.extension() == ".json") {
    const fs::path config = path.parent_path() / "tokenizer_config.json";
    const std::string tokenizer = read_text(path);
    if (!fs::exists(config)) return Tokenizer::from_hub(tokenizer);
    return Tokenizer::from_hub(tokenizer, read_text(config));
  }
  if (fs::is_directory(path) && !fs::exists(path / "config.json"))
    return open_tokenizer((path / "tokenizer.json").string());
  return load_vocabulary(*ModelFile::open(path)).tokenizer;
}

void tokenize(const std::string& file) {
  const Tokenizer tokenizer = open_tokenizer(file);
  for_each_line([&](const nlohmann::ordered_json& input, int64_t number) {
    if (!input.contains("text") || !input["text"].is_string()) {
      throw_error(ErrorKind::invalid_argument, "standard input, line {}: expected a string 'text'", number);
    }
    return nlohmann::ordered_json{
        {"ids", tokenizer.encode(input["text"].get_ref<const std::string&>(), true)}};
  });
}

/// "2026-07-26" as the day that a template's strftime_now sees; nothing for an empty text: today.
std::optional<std::tm> parse_date(const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::tm date{};
  const char* const end = strptime(text.c_str(), "%Y-%m-%d", &date);
  if (end == nullptr || *end != '\0') {
    throw_error(ErrorKind::invalid_argument, "--date: expected YYYY-MM-DD, found '{}'", text);
  }
  return date;
}

void render_template(const std::string& file, const std::string& date) {
  const std::optional<std::tm> now = parse_date(date);
  const fs::path path = locate_model(file);
  std::string source;
  if (fs::is_directory(path) || path.extension() == ".gguf") {
    source = load_vocabulary(*ModelFile::open(path)).chat_template;
    if (source.empty()) throw_error(ErrorKind::bad_file, "{}: has no chat template", path.string());
  } else {
    source = read_text(path);
  }
  const JinjaTemplate parsed = JinjaTemplate::parse(source);
  for_each_line([&](const nlohmann::ordered_json& line, int64_t) {
    return render_template_line(parsed, line, {}, {}, now);
  });
}

void dequant(const std::string& type) {
  const auto dtype = dtype_from_name(type);
  if (!dtype) throw_error(ErrorKind::invalid_argument, "type: '{}' is not known", type);
  const DTypeInfo& block = info(*dtype);
  const std::string bytes{std::istreambuf_iterator<char>(std::cin), {}};
  if (bytes.size() % block.block_bytes != 0) {
    throw_error(ErrorKind::invalid_argument,
                "standard input: expected a multiple of {} bytes ({} block), found {}", block.block_bytes,
                block.name, bytes.size());
  }
  std::vector<float> values(bytes.size() / block.block_bytes * block.block_elements);
  dequantise_row(*dtype, reinterpret_cast<const std::byte*>(bytes.data()), values);
  if (std::fwrite(values.data(), sizeof(float), values.size(), stdout) != values.size() ||
      std::fflush(stdout) != 0) {
    throw_error(ErrorKind::io, "standard output: cannot write");
  }
}

struct SynthCommandOptions {
  std::string shape, out;
  SynthOptions synth;
  std::string tokenizer;
};

}  // namespace

void add_debug_commands(Command app) {
  Command debug = app.add_subcommand("debug", "Single parts of the program, for tests against references");
  debug->require_subcommand(1);

  auto logits_options = std::make_shared<LogitsOptions>();
  Command command = debug->add_subcommand("logits", "Logits after each of some tokens, as a .npy file");
  command->add_option("model", logits_options->model, "file, hub directory or pulled model")->required();
  command->add_option("--ids", logits_options->ids, "token ids, separated by commas")
      ->delimiter(',')
      ->required();
  command->add_option("--out", logits_options->out, "file to write: float32 [ids, vocabulary]")->required();
  command->add_flag("--exact", logits_options->exact,
                    "float32 activations and cache: the reference arithmetic");
  add_runtime_options(command, logits_options->runtime);
  command->callback([logits_options] { logits(*logits_options); });

  auto file = std::make_shared<std::string>();
  auto jsonl = std::make_shared<bool>();
  command = debug->add_subcommand("tokenize", "{\"text\"} lines in, {\"ids\"} lines out");
  command->add_option("file", *file, "tokenizer.json, model file or directory")->required();
  command->add_flag("--jsonl", *jsonl, "the form of input and output")->required();
  command->callback([file, jsonl] { tokenize(*file); });

  command =
      debug->add_subcommand("template", "{\"messages\", …} lines in, {\"output\"} or {\"error\"} lines out");
  command->add_option("file", *file, "Jinja file, model file or directory")->required();
  command->add_flag("--jsonl", *jsonl, "the form of input and output")->required();
  auto date = std::make_shared<std::string>();
  command->add_option("--date", *date, "YYYY-MM-DD for templates that ask for the time; today if not given");
  command->callback([file, date] { render_template(*file, *date); });

  auto type = std::make_shared<std::string>();
  command = debug->add_subcommand("dequant", "Quantised blocks in, float32 out");
  command->add_option("type", *type, "Q4_K, IQ2_XS …")->required();
  command->callback([type] { dequant(*type); });

  auto synth = std::make_shared<SynthCommandOptions>();
  command = debug->add_subcommand("synth", "A model of a published shape with random weights");
  std::string names;
  for (const std::string& shape : synth_shape_names()) names += (names.empty() ? "" : " ") + shape;
  command->add_option("shape", synth->shape, "one of " + names)->required();
  command->add_option("out", synth->out, "GGUF file to write")->required();
  command->add_option("--tokenizer", synth->tokenizer, "hub directory whose tokenizer the file gets");
  command->add_option("--type", synth->synth.type, "type or mixture of the weights");
  command->add_option("--seed", synth->synth.seed, "seed of the weights");
  command->add_option("--period", synth->synth.period,
                      "a model whose text repeats itself after so many tokens; 0: random");
  command->callback([synth] {
    if (!synth->tokenizer.empty()) synth->synth.tokenizer = synth->tokenizer;
    write_synthetic_gguf(synth->shape, synth->out, synth->synth);
  });
}

}  // namespace r1::cli
