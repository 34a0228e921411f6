/** What Stoker uses of the library, which has no types of its own. */
declare module "@lhncbc/ucum-lhc" {
  /** An entry of the table of UCUM's units. */
  export interface UcumUnit {
    readonly csCode_: string;
    readonly dim_: { readonly dimVec_: readonly number[] | null };
    readonly magnitude_: number;
    readonly isBase_: boolean;
    readonly isMetric_: boolean;
    readonly isSpecial_: boolean;
    readonly isArbitrary_: boolean;
    /** Name of a special unit's conversion. */
    readonly cnv_: string | null;
    /** The unit it is defined by, times `baseFactorStr_`. */
    readonly csUnitString_: string | null;
    readonly baseFactorStr_: string | null;
    readonly baseFactor_: number | null;
    /** `UCUM`, or `LOINC` for combinations such as `mg`. */
    readonly source_: string | null;
  }

  const library: {
    readonly UcumLhcUtils: {
      getInstance(): {
        getSpecifiedUnit(code: string, mode: string): { unit: UcumUnit | null };
      };
    };
    readonly UnitTables: {
      getInstance(): {
        getUnitByCode(code: string): UcumUnit | null | undefined;
        getAllUnitCodes(): string[];
      };
    };
  };
  export default library;
}
