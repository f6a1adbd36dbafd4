// What the contracts say of their fields in words: the comments before them, as an editor shows them to who uses the types.
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** A type of a contract, and the comments on its properties. */
export interface Words {
  /** The comment before that property, on one line; empty where there is none. */
  of(property: string): string;
  /** What it holds: the element's type of a list, all alternatives together. */
  inside(property: string): Words;
}

const CONTRACTS = new URL("../../shared/contract/", import.meta.url);
const OPTIONS: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  allowImportingTsExtensions: true,
  noEmit: true,
  strict: true,
  target: ts.ScriptTarget.ESNext,
  types: [],
};

/** Reads contracts (file names without extension); answers the words of what one exports: of a shape, or an operation's side. */
export function readWords(files: string[]): (file: string, name: string, side?: "input" | "output") => Words {
  const paths = files.map((file) => fileURLToPath(new URL(`${file}.ts`, CONTRACTS)));
  const checker = ts.createProgram(paths, OPTIONS);
  const types = checker.getTypeChecker();

  const propertiesOf = (type: ts.Type, name: string): ts.Symbol[] =>
    (type.isUnion() ? type.types : [type]).flatMap((one) => types.getPropertyOfType(one, name) ?? []);

  function words(alternatives: ts.Type[]): Words {
    const found = (name: string) => alternatives.flatMap((type) => propertiesOf(type, name));
    return {
      of(name) {
        const comments = found(name).map((property) =>
          ts.displayPartsToString(property.getDocumentationComment(types)).replaceAll(/\s+/g, " ").trim()
        );
        return comments.find((comment) => comment !== "") ?? "";
      },
      inside: (name) =>
        words(
          found(name).map((property) => {
            const type = types.getNonNullableType(types.getTypeOfSymbol(property));
            return types.getIndexTypeOfType(type, ts.IndexKind.Number) ?? type;
          }),
        ),
    };
  }

  return (file, name, side) => {
    const source = checker.getSourceFile(fileURLToPath(new URL(`${file}.ts`, CONTRACTS)));
    const exported = types.getExportsOfModule(types.getSymbolAtLocation(source as ts.SourceFile) as ts.Symbol)
      .find((symbol) => symbol.name === name);
    if (!exported) throw new Error(`${file}.ts exports no ${name}`);
    const type = types.getTypeOfSymbol(exported);
    const shape = side
      ? types.getTypeOfSymbol(types.getPropertyOfType(type, side) as ts.Symbol)
      : type.getCallSignatures()[0]?.getReturnType() as ts.Type;
    const value = types.getPropertyOfType(shape, side === "input" ? "_input" : "_output");
    return words([types.getTypeOfSymbol(value as ts.Symbol)]);
  };
}
