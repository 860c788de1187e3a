#include "eval/code/file_edits.h"

#include <gtest/gtest.h>

namespace r1::eval {
namespace {

/// Applies an answer's edits to one file of a project; what it is afterwards, or the first problem.
std::string edited(const std::string& before, const std::string& answer,
                   EditFormat format = EditFormat::search_replace) {
  FileContents files{{"src/x.py", before}, {"src/y.py", "other\n"}};
  const std::vector<std::string> names{"src/x.py", "src/y.py"};
  const ReadEdits read = read_edits(answer, format, names);
  if (!read.problems.empty()) return read.problems.front();
  const std::vector<std::string> problems = apply_edits(read.edits, files);
  return problems.empty() ? files.at("src/x.py") : problems.front();
}

std::string block(const std::string& search, const std::string& replacement) {
  return "src/x.py\n```python\n<<<<<<< SEARCH\n" + search + "=======\n" + replacement +
         ">>>>>>> REPLACE\n```\n";
}

TEST(FileEdits, SearchAndReplace) {
  EXPECT_EQ(edited("a\nb\nc\n", block("b\n", "B\nB2\n")), "a\nB\nB2\nc\n");
  EXPECT_EQ(edited("a\nb\nc\n", block("b\n", "")), "a\nc\n");
  EXPECT_EQ(edited("a\nb\na\n", block("a\n", "x\n")), "x\nb\na\n");  // the first place
  EXPECT_EQ(edited("a\nb\nc\n", block("a\n", "x\n") + "and\n" + block("c\n", "z\n")), "x\nb\nz\n");
}

TEST(FileEdits, WaysToWriteTheFileName) {
  const std::string body = "<<<<<<< SEARCH\na\n=======\nx\n>>>>>>> REPLACE\n";
  for (const char* name :
       {"src/x.py", "x.py", "`src/x.py`", "**src/x.py**", "### src/x.py", "src/x.py:", "./src/x.py"}) {
    EXPECT_EQ(edited("a\n", std::string(name) + "\n```python\n" + body + "```"), "x\n") << name;
  }
  EXPECT_EQ(edited("a\n", "```python\nsrc/x.py\n" + body + "```"), "x\n");  // inside of the fence
  EXPECT_EQ(edited("a\n", "src/x.py\n\n" + body), "x\n");                   // no fence
  EXPECT_EQ(edited("a\n", body),
            "line 1 of the answer: the line before the block must be the path of a file");
  // A second block is for the file of the first.
  EXPECT_EQ(edited("a\na\n", "src/x.py\n" + body + "\nthen some\nlines of\ntext in\nbetween\n" + body),
            "x\nx\n");
}

TEST(FileEdits, MarkersOfOtherLengths) {
  EXPECT_EQ(edited("a\n", "src/x.py\n<<<<< SEARCH\na\n=========\nx\n>>>>>>>> REPLACE  \n"), "x\n");
  EXPECT_EQ(edited("a\n", "src/x.py\n<<<<<<< SEARCH\na\n=======\nx\n"),
            "line 2 of the answer: the block has no line ======= followed by a line >>>>>>> REPLACE");
}

TEST(FileEdits, OtherIndentation) {
  const std::string file = "class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        pass\n";
  // Less than the file has, and more.
  EXPECT_EQ(edited(file, block("def f(self):\n    return 1\n", "def f(self):\n    return 2\n")),
            "class A:\n    def f(self):\n        return 2\n\n    def g(self):\n        pass\n");
  EXPECT_EQ(edited(file, block("            def f(self):\n                return 1\n\n",
                               "            def f(self):\n                return 3\n\n")),
            "class A:\n    def f(self):\n        return 3\n\n    def g(self):\n        pass\n");
  // Different for each line: not the same code.
  EXPECT_EQ(edited(file, block("def f(self):\nreturn 1\n", "x\n")),
            "src/x.py: the search text is not in the file; it begins: def f(self):");
}

TEST(FileEdits, UntidyTexts) {
  EXPECT_EQ(edited("a\nb", block("b\n", "c\n")), "a\nc\n");        // no newline at the end
  EXPECT_EQ(edited("a\r\nb\r\n", block("b\n", "c\n")), "a\nc\n");  // other line ends
  EXPECT_EQ(edited("a\nb\n", block("\nb\n", "c\n")), "a\nc\n");    // an empty first line
  EXPECT_EQ(edited("a\n", block("", "b\n")), "a\nb\n");            // appends
  EXPECT_EQ(edited("", block("", "b\n")), "b\n");
  EXPECT_EQ(edited("a\nb \n", block("b\n", "c\n")),  // white space at the end counts
            "src/x.py: the search text is not in the file; it begins: b");
  EXPECT_EQ(edited("a\nb\nc\n", block("a\n...\nc\n", "x\n")),
            "src/x.py: the search text has '...': write all lines");
  EXPECT_EQ(edited("a\n...\nc\n", block("a\n...\nc\n", "x\n")), "x\n");  // it is there
}

TEST(FileEdits, NewFiles) {
  FileContents files{{"x.py", "a\n"}};
  const std::vector<std::string> names{"x.py"};
  const std::string answer = "src/new.py\n```\n<<<<<<< SEARCH\n=======\nhello\n>>>>>>> REPLACE\n```\n";
  EXPECT_TRUE(apply_edits(read_edits(answer, EditFormat::search_replace, names).edits, files).empty());
  EXPECT_EQ(files["src/new.py"], "hello\n");
  const std::vector<FileEdit> missing{{"no.py", false, "a\n", "b\n"}};
  EXPECT_EQ(apply_edits(missing, files).at(0), "no.py: there is no such file");
}

TEST(FileEdits, PathsOutsideAreRefused) {
  for (const char* path : {"../x.py", "/etc/passwd.txt", "a/../../x.py",
                           "a/"
                           "/x.py",
                           "./../x.py", ".git/config.x", "a\\x.py"}) {
    EXPECT_FALSE(is_safe_path(path)) << path;
    FileContents files;
    const std::vector<std::string> names{"x.py", "y.py"};
    const std::string answer =
        std::string(path) + "\n```\n<<<<<<< SEARCH\n=======\nhello\n>>>>>>> REPLACE\n```\n";
    for (const FileEdit& edit : read_edits(answer, EditFormat::search_replace, names).edits) {
      EXPECT_TRUE(is_safe_path(edit.path)) << path;
    }
    const std::string diff = "```diff\n--- /dev/null\n+++ " + std::string(path) + "\n@@ @@\n+x\n```\n";
    for (const FileEdit& edit : read_edits(diff, EditFormat::unified_diff, names).edits) {
      EXPECT_TRUE(is_safe_path(edit.path)) << path;
    }
  }
  EXPECT_TRUE(is_safe_path("a/b-c_d.e/f g.txt"));
  EXPECT_FALSE(is_safe_path(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_safe_path(""));
}

TEST(FileEdits, WholeFiles) {
  const std::string answer =
      "I changed it:\n\nsrc/x.py\n```python\nnew\n```\n\nand ran:\n\n```\noutput\n```\n";
  EXPECT_EQ(edited("old\n", answer, EditFormat::whole), "new\n");
  EXPECT_EQ(edited("old\n", "```python\nnew\n```", EditFormat::whole),
            "line 1 of the answer: there is no block after a line with a file's path");
  EXPECT_EQ(edited("old\n", "src/x.py\n```python\nnew\n", EditFormat::whole),
            "line 2 of the answer: the block has no end");
}

TEST(FileEdits, UnifiedDiffsWithoutNumbers) {
  const std::string answer =
      "```diff\n--- src/x.py\n+++ src/x.py\n@@ ... @@\n a\n-b\n+B\n c\n@@ @@\n-d\n+D\n```\n";
  EXPECT_EQ(edited("a\nb\nc\nx\nd\n", answer, EditFormat::unified_diff), "a\nB\nc\nx\nD\n");
  EXPECT_EQ(edited("a\nb\n", "```diff\n--- a/src/x.py\n+++ b/src/x.py\n@@ -1,9 +3,3 @@\n a\n\n-b\n+c\n```\n",
                   EditFormat::unified_diff),
            "src/x.py: the search text is not in the file; it begins: a");
  EXPECT_EQ(edited("a\n", "no diff", EditFormat::unified_diff),
            "line 1 of the answer: there is no hunk (@@) after lines --- and +++");
  EXPECT_EQ(edited("a\n", "--- src/x.py\n+++ src/x.py\n@@ @@\n*a\n", EditFormat::unified_diff),
            "line 4 of the answer: a line of a hunk begins with ' ', '+' or '-'");
}

TEST(FileEdits, AHostileSearchTextTakesNoTime) {
  std::string file, search;
  for (int i = 0; i < 100'000; ++i) file += "a\n";
  for (int i = 0; i < 50'000; ++i) search += "a\n";
  EXPECT_EQ(edited(file, block(search + "b\n", "x\n")), "src/x.py: the search text is too long");
}

}  // namespace
}  // namespace r1::eval
