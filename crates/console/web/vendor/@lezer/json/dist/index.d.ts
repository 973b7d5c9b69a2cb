import {LRParser} from "../../../@lezer/lr/dist/index.js"

export const parser: LRParser
