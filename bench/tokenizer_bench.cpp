// Megabytes of text a second on one core, for the published vocabularies (tools/fetch_test_tokenizers.sh).
// The text is the repository's own code and prose and, for Chinese, sentences made from common characters.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/random.h"
#include "text/tokenizer.h"

namespace {

using r1::Tokenizer;

const std::filesystem::path source_folder = R1_SOURCE_FOLDER;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string folder_text(const std::filesystem::path& folder, const std::string& extension) {
  std::string text;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == extension) {
      text += read_file(entry.path());
    }
  }
  return text;
}

/// `bytes` of Chinese: characters drawn with falling frequency from a common range, sentences of 8 to 40.
std::string chinese_text(size_t bytes) {
  const std::string frequent =
      "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面"
      "而方后多定"
      "行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它"
      "合还因由其些"
      "然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结"
      "解问意建月公";
  std::string text;
  uint64_t counter = 0;
  while (text.size() < bytes) {
    const auto length = 8 + static_cast<int>(r1::random_uniform(1, counter++) * 32);
    for (int i = 0; i < length; ++i) {
      const double u = r1::random_uniform(2, counter++);
      text += frequent.substr(static_cast<size_t>(u * u * static_cast<double>(frequent.size() / 3)) * 3, 3);
    }
    text += "，";
  }
  return text;
}

std::string repeated(const std::string& text, size_t bytes) {
  std::string out;
  while (!text.empty() && out.size() < bytes) {
    out += text;
  }
  return out;
}

std::string sample(const std::string& kind) {
  constexpr size_t bytes = 4 << 20;
  if (kind == "chinese") {
    return chinese_text(bytes);
  }
  return kind == "code" ? repeated(folder_text(source_folder / "src", ".cpp"), bytes)
                        : repeated(folder_text(source_folder / "docs", ".md"), bytes);
}

void encode(benchmark::State& state, const std::string& name, const std::string& kind) {
  const auto path = source_folder / "build/fixtures/tokenizers" / name / "tokenizer.json";
  if (!std::filesystem::exists(path)) {
    state.SkipWithError("skipped: run tools/fetch_test_tokenizers.sh first");
    return;
  }
  const Tokenizer tokenizer = Tokenizer::from_hub(read_file(path));
  const std::string text = sample(kind);
  std::vector<int32_t> ids;
  for (auto _ : state) {
    ids.clear();
    tokenizer.encode(text, true, ids);
    benchmark::DoNotOptimize(ids.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
  state.counters["bytes_per_token"] = static_cast<double>(text.size()) / static_cast<double>(ids.size());
}

void load(benchmark::State& state, const std::string& name) {
  const auto path = source_folder / "build/fixtures/tokenizers" / name / "tokenizer.json";
  if (!std::filesystem::exists(path)) {
    state.SkipWithError("skipped: run tools/fetch_test_tokenizers.sh first");
    return;
  }
  const std::string json = read_file(path);
  for (auto _ : state) {
    benchmark::DoNotOptimize(Tokenizer::from_hub(json));
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::string name : {"qwen2_5", "llama3", "deepseek_v3"}) {
    for (const std::string kind : {"prose", "code", "chinese"}) {
      benchmark::RegisterBenchmark(("encode/" + name + "/" + kind).c_str(),
                                   [=](benchmark::State& state) { encode(state, name, kind); });
    }
    benchmark::RegisterBenchmark(("load/" + name).c_str(), [=](benchmark::State& state) {
      load(state, name);
    })->Unit(benchmark::kMillisecond);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
