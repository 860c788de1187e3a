#include "cli/line_editor.h"

#include <histedit.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "cli/interrupt.h"

namespace r1::cli {

struct LineEditor::State {
  EditLine* editor = nullptr;
  History* history = nullptr;
  std::filesystem::path history_file;
  std::string prompt;
};

namespace {

constexpr int kHistoryLines = 1000;

}  // namespace

LineEditor::LineEditor(std::filesystem::path history_file) : state_(new State) {
  state_->history_file = std::move(history_file);
  state_->editor = el_init("r1", stdin, stdout, stderr);
  state_->history = history_init();
  HistEvent event;
  history(state_->history, &event, H_SETSIZE, kHistoryLines);
  history(state_->history, &event, H_SETUNIQUE, 1);
  if (!state_->history_file.empty()) history(state_->history, &event, H_LOAD, state_->history_file.c_str());
  el_set(state_->editor, EL_CLIENTDATA, state_);
  el_set(
      state_->editor, EL_PROMPT, +[](EditLine* editor) {
        State* state = nullptr;
        el_get(editor, EL_CLIENTDATA, &state);
        return state->prompt.data();
      });
  el_set(state_->editor, EL_EDITOR, "emacs");
  el_set(state_->editor, EL_HIST, history, state_->history);
  el_set(state_->editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  el_set(state_->editor, EL_BIND, "\033[3~", "ed-delete-next-char", nullptr);
  el_set(state_->editor, EL_BIND, "\033[H", "ed-move-to-beg", nullptr);
  el_set(state_->editor, EL_BIND, "\033[F", "ed-move-to-end", nullptr);
}

LineEditor::~LineEditor() {
  HistEvent event;
  if (!state_->history_file.empty()) {
    std::error_code ignored;
    std::filesystem::create_directories(state_->history_file.parent_path(), ignored);
    history(state_->history, &event, H_SAVE, state_->history_file.c_str());
  }
  history_end(state_->history);
  el_end(state_->editor);
  delete state_;
}

LineEditor::Result LineEditor::read(const std::string& prompt, std::string& text) {
  text.clear();
  bool quoted = false;
  for (;;) {
    state_->prompt = text.empty() && !quoted ? prompt : "... ";
    int count = 0;
    errno = 0;
    InterruptGuard::clear();
    const char* line = el_gets(state_->editor, &count);
    if (line == nullptr || count <= 0) {
      if (InterruptGuard::interrupted()) {
        InterruptGuard::clear();
        el_reset(state_->editor);
        std::fputc('\n', stdout);
        return Result::interrupted;
      }
      return Result::end;
    }
    std::string piece(line, static_cast<size_t>(count));
    while (!piece.empty() && (piece.back() == '\n' || piece.back() == '\r')) piece.pop_back();
    if (!quoted && piece == "\"\"\"" && text.empty()) {
      quoted = true;
      continue;
    }
    if (quoted && piece == "\"\"\"") break;
    const bool goes_on = !quoted && piece.ends_with('\\');
    if (goes_on) piece.pop_back();
    text += piece;
    if (!quoted && !goes_on) break;
    text += '\n';
  }
  if (!text.empty()) {
    HistEvent event;
    history(state_->history, &event, H_ENTER, text.c_str());
  }
  return Result::line;
}

}  // namespace r1::cli
