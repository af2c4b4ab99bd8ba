/** Asks for a secret on the terminal without showing it. Undefined where there is no terminal to ask on. */
export async function promptSecret(question: string): Promise<string | undefined> {
  const { stdin, stderr } = process
  if (!stdin.isTTY || !stderr.isTTY) return undefined
  stderr.write(question)
  stdin.setRawMode(true)
  stdin.setEncoding("utf8")
  let secret = ""
  try {
    for await (const chunk of stdin as AsyncIterable<string>) {
      for (const character of chunk) {
        if (character === "\r" || character === "\n") return secret
        // Ctrl-C and Ctrl-D do what they do elsewhere.
        if (character === "\u0003" || character === "\u0004") process.exit(130)
        secret = character === "\u007f" || character === "\b" ? secret.slice(0, -1) : secret + character
      }
    }
    return secret
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write("\n")
  }
}
