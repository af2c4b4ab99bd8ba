import { createConnection } from "node:net"

/** Whether something listens on a port of this machine. */
export function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1")
    const end = (open: boolean): void => {
      socket.destroy()
      resolve(open)
    }
    socket.once("connect", () => {
      end(true)
    })
    socket.once("error", () => {
      end(false)
    })
  })
}
