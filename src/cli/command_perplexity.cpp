// r1 perplexity: how well a model predicts a text.
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_location.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cli/text_file.h"
#include "engine/perplexity.h"
#include "formats/model_file.h"
#include "formats/vocabulary.h"

namespace r1::cli {
namespace {

struct PerplexityCommandOptions {
  std::string model, file;
  bool exact = false;
  RuntimeOptions runtime;
  PerplexityOptions perplexity;
};

void measure(PerplexityCommandOptions& options) {
  const auto model_file = ModelFile::open(locate_model(options.model), options.runtime.overrides);
  const Vocabulary vocabulary = load_vocabulary(*model_file);
  const std::unique_ptr<Model> model = load_model(model_file, load_options());
  std::vector<int32_t> tokens = vocabulary.tokenizer.encode(read_text_file(options.file), true);
  std::optional<int32_t> bos;
  if (vocabulary.tokenizer.add_bos()) bos = vocabulary.bos;
  if (bos) tokens.insert(tokens.begin(), *bos);

  ThreadPool pool(options.runtime.threads);
  Context context(pool, select_kernels(options.runtime),
                  options.exact ? Arithmetic::exact : Arithmetic::fast);
  options.perplexity.key_dtype = options.exact ? DType::f32 : cache_dtype(options.runtime.cache_type_k);
  options.perplexity.value_dtype = options.exact ? DType::f32 : cache_dtype(options.runtime.cache_type_v);
  const InterruptGuard guard;
  ProgressBar bar("perplexity", "windows");
  const PerplexityResult result = perplexity(
      *model, context, tokens, bos, options.perplexity, [&](const PerplexityResult& so_far, int64_t windows) {
        if (InterruptGuard::interrupted()) throw_error(ErrorKind::cancelled, "interrupted");
        bar.update(so_far.windows, windows, fmt::format("{:.4f}", so_far.perplexity));
      });
  bar.finish();
  fmt::print("perplexity {:.4f} ± {:.4f} ({} tokens scored in {} windows of {})\n", result.perplexity,
             result.standard_error, result.scored_tokens, result.windows, options.perplexity.window);
}

}  // namespace

void add_perplexity_command(Command app) {
  auto options = std::make_shared<PerplexityCommandOptions>();
  Command command = app.add_subcommand("perplexity", "How well a model predicts a text");
  command->add_option("model,-m,--model", options->model, "file, hub directory or pulled model")->required();
  command->add_option("-f,--file", options->file, "text file")->required();
  command->add_option("-c,--ctx-size", options->perplexity.window,
                      "tokens of a window; its second half is scored");
  command->add_option("--chunks", options->perplexity.windows, "windows to score; -1: all");
  command->add_flag("--exact", options->exact, "float32 activations and cache: the reference arithmetic");
  add_runtime_options(command, options->runtime);
  command->callback([options] { measure(*options); });
}

}  // namespace r1::cli
