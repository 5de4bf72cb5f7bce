/** A colour that stands beside the name it belongs to: whatever the colour, the name can be read. */
export function Dot({ color, size = 8 }: { color: string | undefined; size?: number }) {
  return (
    <span
      aria-hidden
      style={{ display: "block", flex: "none", width: size, height: size, borderRadius: "50%", background: color }}
    />
  );
}
