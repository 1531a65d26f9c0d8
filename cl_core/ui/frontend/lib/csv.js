/**
 * Rows of cells as comma-separated values, with the byte order mark that lets spreadsheets read every alphabet.
 *
 * @param {unknown[][]} rows
 */
export function csvText(rows) {
  return `\ufeff${rows.map((row) => row.map(csvCell).join(",")).join("\n")}\n`;
}

/**
 * One cell, quoted where needed. A text that begins like a formula is escaped, or a spreadsheet would compute it.
 *
 * @param {unknown} value
 */
export function csvCell(value) {
  const text = String(value ?? "");
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * `name` without characters that file systems reject.
 *
 * @param {string} name
 */
export function fileName(name) {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, "-");
}
