// Mathematics of the Chinese university entrance examination, by file.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "eval/benchmarks/choice_form.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/math_form.h"
#include "eval/benchmarks/record_fields.h"

namespace r1::eval {
namespace {

/// Records have options and a label, or an answer, in which ';' separates the answers to several gaps.
Item read(const nlohmann::json& record, int64_t line, const ItemOptions& options) {
  if (find_field(record, {"label"}) != nullptr) {
    const std::vector<std::string> choices = choices_of(record);
    std::string letters = text_field(record, {"label"});
    std::erase(letters, ' ');  // "A B D": several are right
    std::string question = question_of(record);
    for (size_t i = 0; i < choices.size(); ++i) {
      const char letter = static_cast<char>('A' + i);
      question += std::string(i == 0 ? "\n选项: " : " ") + '(' + letter + ") " + choices[i];
    }
    std::vector<std::string> references{letters};
    if (letters.size() == 1 && letters[0] >= 'A' && static_cast<size_t>(letters[0] - 'A') < choices.size())
      references.push_back(choices[static_cast<size_t>(letters[0] - 'A')]);
    return math_item(id_of(record), std::move(question), references, options);
  }
  if (const auto answer = record.find("answer");
      answer != record.end() && answer->is_string() && answer->get_ref<const std::string&>().empty()) {
    Item item;
    item.id = id_of(record);
    item.excluded = "no answer in the data";
    return item;
  }
  Item item = read_math_item(record, line, options);
  for (nlohmann::json& reference : (*item.fields)["references"]) {
    auto text = reference.get<std::string>();
    if (text.find(';') == std::string::npos) continue;
    std::replace(text.begin(), text.end(), ';', ',');
    reference = text;
  }
  return item;
}

Benchmark gaokao_file(std::string name, std::string title, const std::string& file, const std::string& folder,
                      std::string sha256, int64_t records) {
  Benchmark benchmark = math_form();
  benchmark.name = std::move(name);
  benchmark.title = std::move(title);
  benchmark.data = {
      .files = {"gaokao/" + file},
      .url = "https://raw.githubusercontent.com/QwenLM/Qwen2.5-Math/main/evaluation/data/" + folder +
             "/test.jsonl",
      .sha256 = std::move(sha256),
      .licence = "MIT (the collection; gaokao-cloze and gaokao-qa of AGIEval, MIT)",
      .records = records,
  };
  benchmark.read_item = read;
  benchmark.protocol =
      "Zero-shot with the boxed directive in the question's language; of multiple choice the letters, or the "
      "one choice's text, "
      "count. Published few-shot figures can't be compared.";
  return benchmark;
}

}  // namespace

Benchmark gaokao_2023_en() {
  return gaokao_file("gaokao-2023-en", "Gaokao 2023 (English)", "gaokao2023en.jsonl", "gaokao2023en",
                     "654d8f49bdb86f578c171dbc0dd8f4d9f1bf3d7a7438f60359fda7d643df4951", 385);
}
Benchmark gaokao_2024_i() {
  return gaokao_file("gaokao-2024-i", "Gaokao 2024 I", "gaokao2024_I.jsonl", "gaokao2024_I",
                     "9a5bb19a1b767d5cd48be164efc048351784580142b0dd84a6ad7e8ec3ece18e", 14);
}
Benchmark gaokao_2024_ii() {
  return gaokao_file("gaokao-2024-ii", "Gaokao 2024 II", "gaokao2024_II.jsonl", "gaokao2024_II",
                     "55cc8057d85c5bdf0a993cda2d37b3aee6f733761c70b101a6d086d213732acc", 14);
}
Benchmark gaokao_cloze() {
  return gaokao_file("gaokao-cloze", "Gaokao math cloze", "gaokao_math_cloze.jsonl", "gaokao_math_cloze",
                     "088675c147794970a3ed25c7147a3bbc59715d6813837d5f483f46dcb1b5008d", 118);
}
Benchmark gaokao_qa() {
  return gaokao_file("gaokao-qa", "Gaokao math QA", "gaokao_math_qa.jsonl", "gaokao_math_qa",
                     "4717f8ab70130e277da9056261e3d63f1f6b062049b97b2d204299917da656fb", 351);
}

}  // namespace r1::eval
