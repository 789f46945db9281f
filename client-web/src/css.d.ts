// A style sheet is bundled as its text: the page may fetch nothing, and adopts it.
declare module '*.css' {
  const text: string
  export default text
}
