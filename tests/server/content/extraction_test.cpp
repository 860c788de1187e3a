#include "server/content/extraction.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "server/content/site_error.h"
#include "text/unicode.h"

namespace r1::site {
namespace {

const Sandbox& sandbox() {
  static const Sandbox detected = Sandbox::detect();
  return detected;
}

FileExtractor extractor(ExtractionLimits limits = {}) {
  return FileExtractor(sandbox(), {R1_EXTRACT_CHILD}, limits);
}

std::string refusal(const std::string& name, std::string_view bytes, SiteError::Code code,
                    const FileExtractor& with = extractor()) {
  try {
    with.extract(name, bytes);
  } catch (const SiteError& error) {
    EXPECT_EQ(error.code, code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << name << " was not refused";
  return "";
}

using Entries = std::vector<std::pair<std::string, std::string>>;

std::string zip(const Entries& entries, bool encrypted = false) {
  std::string out(size_t{4} << 20, '\0');
  size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_zip(writer);
  if (encrypted) {
    archive_write_set_options(writer, "zip:encryption=aes256");
    archive_write_set_passphrase(writer, "secret");
  }
  archive_write_open_memory(writer, out.data(), out.size(), &used);
  for (const auto& [name, text] : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(text.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK) << archive_error_string(writer);
    archive_write_data(writer, text.data(), text.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

std::string document(const std::string& body) {
  return "<?xml version=\"1.0\"?><w:document xmlns:w=\"x\"><w:body>" + body + "</w:body></w:document>";
}

/// Objects 1, 2, …; 1 is the catalog.
std::string pdf(const std::vector<std::string>& objects, const std::string& trailer = "") {
  std::string out = "%PDF-1.4\n";
  std::vector<size_t> offsets;
  for (size_t i = 0; i < objects.size(); ++i) {
    offsets.push_back(out.size());
    out += fmt::format("{} 0 obj\n{}\nendobj\n", i + 1, objects[i]);
  }
  const size_t table = out.size();
  out += fmt::format("xref\n0 {}\n0000000000 65535 f \n", objects.size() + 1);
  for (const size_t offset : offsets) out += fmt::format("{:010} 00000 n \n", offset);
  return out + fmt::format("trailer\n<< /Size {} /Root 1 0 R {}>>\nstartxref\n{}\n%%EOF\n",
                           objects.size() + 1, trailer, table);
}

std::string stream(const std::string& dictionary, const std::string& bytes) {
  return fmt::format("<< {} /Length {} >>\nstream\n{}\nendstream", dictionary, bytes.size(), bytes);
}

std::string pdf_page(const std::string& content, const std::string& resources = "",
                     const std::vector<std::string>& more = {}, const std::string& trailer = "") {
  std::vector<std::string> objects{
      "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
      "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R "
      ">> " +
          resources + " >> >>",
      stream("", content), "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"};
  objects.insert(objects.end(), more.begin(), more.end());
  return pdf(objects, trailer);
}

TEST(Extraction, text_and_code) {
  EXPECT_EQ(extractor().extract("a.txt", "one\r\ntwo\rthree").text, "one\ntwo\nthree");
  EXPECT_EQ(extractor()
                .extract("a.csv",
                         "\xef\xbb\xbf"
                         "a,b\n1,2\n")
                .text,
            "a,b\n1,2\n");
  EXPECT_EQ(extractor().extract("A.CPP", "int 变量;").characters, 7);
  EXPECT_EQ(extractor()
                .extract("u.txt", std::string_view("\xff\xfe"
                                                   "a\0\x2d\x4e\x3d\xd8\x00\xde",
                                                   10))
                .text,
            "a中😀");
  EXPECT_EQ(extractor().extract("../../etc/pass\nwd.txt", "x").name, "passwd.txt");
  EXPECT_EQ(extractor().extract("C:\\x\\y.md", "x").name, "y.md");
}

TEST(Extraction, says_what_is_wrong) {
  using enum SiteError::Code;
  EXPECT_EQ(refusal("a.txt", "ab\xff", extraction_failed), "a.txt: not valid UTF-8 text: byte 0xff at 2");
  EXPECT_EQ(refusal("a.txt", std::string_view("a\0b", 3), unsupported_file),
            "a.txt: not a text: a zero byte at 1");
  EXPECT_EQ(refusal("a.exe", "x", unsupported_file), "a.exe: files of type '.exe' are not read");
  EXPECT_EQ(refusal("none", "x", unsupported_file), "none: files of type '' are not read");
  EXPECT_EQ(refusal("a.txt", "%PDF-1.4", unsupported_file),
            "a.txt: its name says .txt, its content is a PDF");
  EXPECT_EQ(refusal("a.pdf", "hello", unsupported_file),
            "a.pdf: its name says .pdf, its content is something else");
  EXPECT_EQ(refusal("a.docx", "%PDF-1.4", unsupported_file),
            "a.docx: its name says .docx, its content is a PDF");
  EXPECT_EQ(refusal("a.docx", "\xd0\xcf\x11\xe0 and so on", extraction_failed),
            "a.docx: the document is encrypted, or of an older form than docx");
  EXPECT_EQ(refusal("a.txt", " \n", extraction_failed), "a.txt: there is no text in it");
  ExtractionLimits small;
  small.file_bytes = 4;
  EXPECT_EQ(refusal("a.txt", "12345", too_large, extractor(small)), "a.txt: 5 bytes; at most 4 are taken");
}

TEST(Extraction, docx) {
  const std::string bytes =
      zip({{"[Content_Types].xml", "<Types/>"},
           {"word/document.xml", document("<w:p><w:r><w:t>Hello </w:t></w:r><w:r><w:t "
                                          "xml:space=\"preserve\">世界 &amp; all</w:t></w:r></w:p>"
                                          "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></"
                                          "w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p>"
                                          "</w:tc></w:tr></w:tbl><w:p><w:r><w:t>x</w:t><w:tab/><w:t>y</"
                                          "w:t><w:br/><w:t>z</w:t></w:r></w:p>")},
           {"word/footnotes.xml", "<w:footnotes><w:p><w:r><w:t>note</w:t></w:r></w:p></w:footnotes>"},
           {"word/embeddings/inner.zip", zip({{"word/document.xml", "never opened"}})}});
  EXPECT_EQ(extractor().extract("a.docx", bytes).text, "Hello 世界 & all\na\tb\nx\ty\nz\n\nnote\n");
}

TEST(Extraction, docx_that_means_harm) {
  using enum SiteError::Code;
  const auto refused = [&](const std::string& bytes) { return refusal("a.docx", bytes, extraction_failed); };
  EXPECT_EQ(refused(zip({{"word/document.xml", std::string(size_t{20} << 20, ' ')}})),
            "a.docx: the archive unpacks to far more than a document would (a zip bomb)");
  EXPECT_EQ(refused(zip({{"../evil.xml", "x"}, {"word/document.xml", document("")}})),
            "a.docx: the archive has an entry that leads out of it: '../evil.xml'");
  EXPECT_EQ(refused(zip({{"/etc/x", "x"}, {"word/document.xml", document("")}})),
            "a.docx: the archive has an entry that leads out of it: '/etc/x'");
  EXPECT_EQ(refused(zip({{"word/document.xml", document("")}}, true)), "a.docx: the document is encrypted");
  EXPECT_EQ(refused(zip({{"xl/workbook.xml", "x"}})),
            "a.docx: the archive is not a Word document: word/document.xml is missing");
  EXPECT_EQ(refused(zip({{"a/word.zip", zip({{"word/document.xml", document("")}})}})),
            "a.docx: the archive is not a Word document: word/document.xml is missing");
  EXPECT_EQ(refused(zip({{"word/document.xml", "<w:document><w:p"}})),
            "a.docx: word/document.xml is not XML: byte 15");
  EXPECT_EQ(refused("PK\x03\x04 and then nothing of it"), "a.docx: the archive is damaged");
  Entries many(5000, {"x", ""});
  for (size_t i = 0; i < many.size(); ++i) many[i].first = std::to_string(i);
  EXPECT_EQ(refused(zip(many)), "a.docx: the archive has more than 4096 entries");
  // Entities are not expanded.
  const std::string laughs = "<!DOCTYPE d [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]>";
  EXPECT_EQ(
      extractor()
          .extract("a.docx", zip({{"word/document.xml", laughs + document("<w:p><w:t>&b;</w:t></w:p>")}}))
          .text,
      "&b;\n");
}

TEST(Extraction, docx_of_deep_nesting_does_no_harm) {
  std::string deep;
  for (int i = 0; i < 300'000; ++i) deep += "<a>";
  try {
    extractor().extract("a.docx", zip({{"word/document.xml", deep}}));
    ADD_FAILURE();
  } catch (const SiteError& error) {
    EXPECT_EQ(error.code, SiteError::Code::extraction_failed);
  }
}

TEST(Extraction, pdf) {
  if (!std::filesystem::exists("/usr/bin/pdftotext")) GTEST_SKIP() << "poppler-utils is not installed";
  const std::string good = pdf_page("BT /F1 12 Tf 72 720 Td (Hello, PDF.) Tj ET");
  EXPECT_EQ(extractor().extract("a.pdf", good).text, "Hello, PDF.\n\n");
  using enum SiteError::Code;
  EXPECT_EQ(refusal("a.pdf", "%PDF-1.4 and no more", extraction_failed),
            "a.pdf: the PDF is damaged: no text could be read");
  EXPECT_EQ(refusal("a.pdf", pdf_page("BT ET"), extraction_failed), "a.pdf: there is no text in it");
  const std::string garbage(64, '0');
  const std::string encrypted = pdf_page(
      "BT ET", "",
      {"<< /Filter /Standard /V 1 /R 2 /Length 40 /P -4 /O <" + garbage + "> /U <" + garbage + "> >>"},
      "/Encrypt 6 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>] ");
  EXPECT_EQ(refusal("a.pdf", encrypted, extraction_failed),
            "a.pdf: the PDF is encrypted: remove its password first");
}

TEST(Extraction, a_pdf_bomb_is_cut_off) {
  if (!std::filesystem::exists("/usr/bin/pdftotext")) GTEST_SKIP() << "poppler-utils is not installed";
  // Each form draws the next one thirty times.
  std::vector<std::string> forms;
  for (int i = 0; i < 12; ++i) {
    std::string draws;
    for (int k = 0; k < 30; ++k) draws += "/X Do ";
    if (i == 11) draws = "BT /F1 1 Tf (bomb) Tj ET";
    forms.push_back(stream(
        fmt::format("/Type /XObject /Subtype /Form /BBox [0 0 600 700] /Resources << /Font << /F1 5 0 R >> "
                    "/XObject << /X {} 0 R >> >>",
                    7 + i),
        draws));
  }
  ExtractionLimits limits;
  limits.sandbox.cpu_seconds = 1;
  limits.sandbox.wall_time = std::chrono::milliseconds(1500);
  const auto begin = std::chrono::steady_clock::now();
  refusal("a.pdf", pdf_page("/X Do", "/XObject << /X 6 0 R >>", forms), SiteError::Code::extraction_failed,
          extractor(limits));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(Extraction, html) {
  const ExtractedText page = extractor().extract(
      "a.html",
      "<html><head><title> A  &amp; B "
      "</title><style>p{}</style></head><body><nav>menu</nav><h1>Head</h1><p>One\n "
      "two<b> three</b><script>alert(1)</script></p><ul><li>x</li><li>y&nbsp;z</li></ul><table><tr><td>1</td>"
      "<td>2</td></tr></table>tail");
  EXPECT_EQ(page.title, "A  & B");
  EXPECT_EQ(page.text, "Head\nOne two three\nx\ny\u00a0z\n1\n2\ntail\n");
  const ExtractedText chinese =
      extractor().extract_page("http://x/", "text/html; charset=GBK", "<p>\xd6\xd0\xce\xc4</p>");
  EXPECT_EQ(chinese.text, "中文\n");
  EXPECT_EQ(extractor().extract("a.html", "<meta charset=gb2312><p>\xd6\xd0\xce\xc4").text, "中文\n");
  EXPECT_EQ(extractor().extract_page("http://x/", "text/plain", "plain").text, "plain");
  EXPECT_THROW(extractor().extract_page("http://x/", "image/png", "x"), SiteError);
  EXPECT_THROW(extractor().extract_page("http://x/", "text/html; charset=odd", "x"), SiteError);
}

TEST(Extraction, html_of_deep_nesting_does_no_harm) {
  std::string deep;
  for (int i = 0; i < 500'000; ++i) deep += "<div>";
  ExtractionLimits limits;
  limits.sandbox.cpu_seconds = 1;
  try {
    EXPECT_EQ(extractor(limits).extract("a.html", deep + "x").text, "x\n");
  } catch (const SiteError& error) {
    EXPECT_EQ(error.code, SiteError::Code::extraction_failed);  // the child ended, not we
  }
}

}  // namespace
}  // namespace r1::site
