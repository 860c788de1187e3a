// The official file and search prompts of the DeepSeek-R1 release, filled in. The templates (prompts/, with
// their provenance) are kept byte for byte; arguments are put in in one pass, so that nothing inside an
// argument is taken for a placeholder.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "server/content/conversation.h"

namespace r1::site {

struct PromptFile {
  std::string name, text;
};

/// The question with files in front of it, each in the file template: the first file is the outermost.
std::string file_prompt(const std::vector<PromptFile>& files, const std::string& question);

enum class PromptLanguage { english, chinese };

/// Chinese when there are more than two Chinese characters for each word in other letters, and no kana (which
/// makes it Japanese); everything else is asked in English, whose template tells the model to answer in the
/// question's language.
PromptLanguage language_of(std::string_view question);

struct SearchText {
  Source source;
  std::string text;  // of the page or passage; the source's snippet where nothing better is there
};

/// The question inside the search template of its language. `language_sample` decides the language: the
/// question as typed, without files.
std::string search_prompt(const std::vector<SearchText>& results, const std::string& question,
                          std::string_view language_sample, std::chrono::year_month_day today);

/// "[webpage 1 begin]…[webpage 1 end]" for each, one below the other, numbered by Source::number. A mark
/// inside a page's text is broken up, so that no page can pass for another.
std::string render_search_results(const std::vector<SearchText>& results);

/// "Sunday, January 5, 2025" or "2025年1月5日，星期日".
std::string prompt_date(std::chrono::year_month_day today, PromptLanguage language);
std::chrono::year_month_day local_today();

// The templates themselves.
extern const std::string_view file_template, search_answer_en_template, search_answer_zh_template;

}  // namespace r1::site
