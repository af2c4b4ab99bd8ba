import { InputPathError } from "../errors/batch.ts"
import type { ImageSource } from "../firmware/imageSource.ts"
import { openRegularFile, reasonOf } from "./readRegularFile.ts"

/** An image in a file, which stays open until `close` is called. */
export type FileImage = ImageSource & AsyncDisposable & { close(): Promise<void> }

/**
 * Opens an image file. What is read does not pile up: memory does not grow with the file.
 *
 * @throws {@link InputPathError} {@link FleetFileError}
 */
export async function fileImage(path: string): Promise<FileImage> {
  const handle = await openRegularFile(path)
  const { size } = await handle.stat()
  const close = (): Promise<void> => handle.close()

  const fill = async (buffer: Uint8Array, offset: number): Promise<void> => {
    for (let done = 0; done < buffer.length;) {
      const { bytesRead } = await handle
        .read(buffer, done, buffer.length - done, offset + done)
        .catch((cause: unknown) => {
          throw new InputPathError({ path, reason: reasonOf(cause), cause })
        })
      if (bytesRead === 0) throw new InputPathError({ path, reason: "it became shorter while it was read" })
      done += bytesRead
    }
  }
  return {
    size,
    read: async (offset, length) => {
      const bytes = new Uint8Array(length)
      await fill(bytes, offset)
      return bytes
    },
    readInto: fill,
    close,
    [Symbol.asyncDispose]: close,
  }
}
